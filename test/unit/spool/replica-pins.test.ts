import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { realDisk } from '../../../src/base/disk.ts'
import { silentLog } from '../../../src/base/log.ts'
import { ReplicaPins, TOMBSTONES_MAX } from '../../../src/spool/replica-pins.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let path: string
let clock: FakeClock

beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder.path, 'replicas.json')
  clock = new FakeClock()
})

afterEach(() => folder[Symbol.asyncDispose]())

async function opened({ isNew = false } = {}): Promise<ReplicaPins> {
  const pins = new ReplicaPins({ path, clock, disk: realDisk, log: silentLog, ageMsMax: 1_000 })
  await pins.load(isNew)
  return pins
}

test('a replica whose pin expired holds nothing, and is known as one of before', async () => {
  const pins = await opened({ isNew: true })
  pins.set('id:2', { ordinal: 3, epoch: 1 }, { reached: 3, newest: 3 })
  await clock.advance(2_000)
  expect(pins.expire(1)).toMatchObject([{ id: 'id:2', ordinal: 3 }])
  expect([pins.list(), pins.neededFrom(0)]).toEqual([[], Number.POSITIVE_INFINITY])
  await pins.close()
  const again = await opened()
  expect(again.standing('id:2', null)).toBe('sound')
  expect(again.standing('id:2', 2)).toBe('outdated')
  expect(again.standing('id:9', 2)).toBe('unseen')
  again.set('id:2', { ordinal: 5, epoch: 2 }, { reached: 5, newest: 5 })
  expect(again.standing('id:2', 2)).toBe('sound')
})

test('a person has the last word on a replica, until the next reset', async () => {
  const pins = await opened({ isNew: true })
  pins.set('id:2', { ordinal: 3, epoch: 1 }, { reached: 3, newest: 3 })
  expect(pins.release('id:2', 1, null)).toBe(true)
  expect(pins.release('id:2', 1, null)).toBe(false)
  // It was detached before the reset: what it has is of before.
  expect(pins.standing('id:2', 2)).toBe('outdated')
  expect(pins.release('id:2', 2, 2)).toBe(true)
  expect(pins.standing('id:2', 2)).toBe('sound')
  expect(pins.standing('id:2', 3)).toBe('outdated')
  expect(pins.release('id:9', 2, 2)).toBe(false)
})

test('a replica that left out data is known until a person has made it anew', async () => {
  const pins = await opened({ isNew: true })
  const settings = 'IGNORE_DOMAIN_IDS=7'
  expect(pins.noteLeftOut('id:2', settings)).toBe(false)
  pins.set('id:2', { ordinal: 3, epoch: 1 }, { reached: 3, newest: 3 })
  expect(pins.noteLeftOut('id:2', settings)).toBe(true)
  expect(pins.noteLeftOut('id:2', 'another=1')).toBe(false)
  pins.set('id:2', { ordinal: 4, epoch: 1 }, { reached: 4, newest: 4 })
  await clock.advance(2_000)
  pins.expire(1)
  await pins.close()
  const again = await opened()
  expect(again.leftOut('id:2')).toMatchObject({ settings })
  expect(again.release('id:2', 1, null)).toBe(true)
  expect([again.leftOut('id:2'), again.release('id:2', 1, null)]).toEqual([null, false])
})

test('one replica too many is forgotten, and from then on nobody unknown is believed', async () => {
  const pins = await opened({ isNew: true })
  for (let number = 0; number <= TOMBSTONES_MAX; number += 1) {
    pins.set(`id:${number}`, { ordinal: 1, epoch: 4 }, { reached: 1, newest: 1 })
    pins.release(`id:${number}`, 4, null)
    await clock.advance(1)
  }
  await pins.close()
  const again = await opened()
  expect(again.standing('id:1', 5)).toBe('outdated')
  for (const unknown of ['id:0', 'id:999999']) {
    expect(again.standing(unknown, null)).toBe('sound')
    expect(again.standing(unknown, 4)).toBe('unseen')
    expect(again.standing(unknown, 5)).toBe('doubtful')
  }
  expect(again.release('id:0', 5, 5)).toBe(true)
  expect(again.standing('id:0', 5)).toBe('sound')
})

describe('the record of who was served', () => {
  async function saved(): Promise<void> {
    const pins = await opened({ isNew: true })
    pins.set('id:2', { ordinal: 3, epoch: 1 }, { reached: 3, newest: 3 })
    await pins.close()
  }

  test.each(['', '{', '{"format":9}', '[]', '{"format":3,"savedAtMs":1}', ' '.repeat(5_000_000)])(
    'that is damaged is kept aside and is no empty one: %.30s',
    async (text) => {
      await saved()
      await writeFile(path, text)
      const pins = await opened()
      expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text)
      expect(pins.damaged).toMatchObject({ path: `${path}.damaged` })
      expect(pins.standing('id:2', null)).toBe('sound')
      expect(pins.standing('id:2', 2)).toBe('doubtful')
      await pins.close()
      const again = await opened()
      expect([again.damaged?.path, again.standing('id:2', 2)]).toEqual([
        `${path}.damaged`,
        'doubtful',
      ])
      await rm(`${path}.damaged`)
      await again.noticeDamage()
      expect([again.damaged, again.standing('id:2', 2)]).toEqual([null, 'doubtful'])
    },
  )

  test('that was lost is no empty one; that of a new spool is', async () => {
    await saved()
    await rm(path)
    expect((await opened()).standing('id:2', 2)).toBe('doubtful')
    expect((await opened({ isNew: true })).standing('id:2', 2)).toBe('unseen')
    await expect(access(`${path}.damaged`)).rejects.toThrow()
  })

  test.each([
    '{"format":1,"needed":{"id:2":3}}',
    '{"format":2,"savedAtMs":5,"needed":{"id:2":{"ordinal":3,"atMs":5,"epoch":2}}}',
  ])('of an older version does not name all: %s', async (text) => {
    await writeFile(path, text)
    const pins = await opened()
    expect(pins.list()).toMatchObject([{ id: 'id:2', ordinal: 3 }])
    expect([pins.standing('id:2', 2), pins.standing('id:9', 2)]).toEqual([
      text.includes('"epoch":2') ? 'sound' : 'outdated',
      'doubtful',
    ])
  })

  test('keeps nothing for a reader of files that a crash cut off', async () => {
    const pins = await opened({ isNew: true })
    pins.set('connection:7', { ordinal: 1, epoch: 1 }, { reached: 1, newest: 1 })
    await pins.save()
    const again = await opened()
    expect([again.list(), again.standing('connection:7', 2)]).toEqual([[], 'unseen'])
  })
})

describe('a replica that is connected and stands still', () => {
  const first = { ordinal: 1, epoch: 1 }

  test('is let go in the end, and taken again when it moves on', async () => {
    const pins = await opened({ isNew: true })
    const confirm = (reached: number) => pins.set('id:2', first, { reached, newest: 9 })
    for (let minute = 0; minute <= 10; minute += 1) {
      confirm(1)
      await clock.advance(100)
    }
    expect(pins.list()).toMatchObject([{ id: 'id:2', ageMs: 1_100 }])
    expect(pins.expire(1)).toHaveLength(1)
    confirm(1)
    expect(pins.list()).toEqual([])
    confirm(2)
    expect(pins.list()).toMatchObject([{ id: 'id:2', ageMs: 0 }])
  })

  test('is a new one after a person has detached it', async () => {
    const pins = await opened({ isNew: true })
    pins.set('id:2', first, { reached: 1, newest: 9 })
    await clock.advance(100)
    pins.release('id:2', 1, null)
    pins.set('id:2', first, { reached: 1, newest: 9 })
    expect(pins.list()).toMatchObject([{ ageMs: 0 }])
  })

  test('ranks by when it was served first, also over a restart', async () => {
    const pins = await opened({ isNew: true })
    for (const id of ['id:7', 'id:5', 'id:6']) pins.set(id, first, { reached: 1, newest: 1 })
    pins.set('id:7', first, { reached: 2, newest: 2 })
    await pins.close()
    const again = await opened()
    expect(['id:7', 'id:5', 'id:6', 'id:8'].map((id) => again.seniority(id))).toEqual([
      ...[0, 1, 2],
      Number.POSITIVE_INFINITY,
    ])
  })
})
