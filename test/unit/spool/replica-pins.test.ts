import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { realDisk } from '../../../src/base/disk.ts'
import { ReplicaPins, TOMBSTONES_MAX } from '../../../src/spool/replica-pins.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { temporaryFolder } from '../../helpers/spool-fixture.ts'

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
  const pins = new ReplicaPins({ path, clock, disk: realDisk, ageMsMax: 1_000 })
  await pins.load(isNew)
  return pins
}

test('a replica whose pin expired holds nothing, and is known as one of before', async () => {
  const pins = await opened({ isNew: true })
  pins.set('id:2', 3, 1)
  await clock.advance(2_000)
  expect(pins.expire(1)).toMatchObject([{ id: 'id:2', ordinal: 3 }])
  expect([pins.list(), pins.neededFrom(0)]).toEqual([[], Number.POSITIVE_INFINITY])
  await pins.close()
  const again = await opened()
  expect(again.standing('id:2', null)).toBe('sound')
  expect(again.standing('id:2', 2)).toBe('outdated')
  expect(again.standing('id:9', 2)).toBe('unseen')
  again.set('id:2', 5, 2)
  expect(again.standing('id:2', 2)).toBe('sound')
})

test('a person has the last word on a replica, until the next reset', async () => {
  const pins = await opened({ isNew: true })
  pins.set('id:2', 3, 1)
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
  pins.set('id:2', 3, 1)
  expect(pins.noteLeftOut('id:2', settings)).toBe(true)
  expect(pins.noteLeftOut('id:2', 'another=1')).toBe(false)
  pins.set('id:2', 4, 1)
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
    pins.set(`id:${number}`, 1, 4)
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
    pins.set('id:2', 3, 1)
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
    pins.set('connection:7', 1, 1)
    await pins.save()
    const again = await opened()
    expect([again.list(), again.standing('connection:7', 2)]).toEqual([[], 'unseen'])
  })
})
