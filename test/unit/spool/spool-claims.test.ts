import { access, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { realDisk } from '../../../src/base/disk.ts'
import { silentLog } from '../../../src/base/log.ts'
import type { ClaimedFile, ClaimName } from '../../../src/binlog/log.ts'
import { CLAIMS_MAX, TOMBSTONES_MAX } from '../../../src/spool/claims.ts'
import { SpoolClaims } from '../../../src/spool/spool-claims.ts'
import { beginFile, type EpochRecord, type SpoolFile } from '../../../src/spool/spool-file.ts'
import type { ReplicaStanding } from '../../../src/status/replica-standing.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

const UUID = '29d14f05-e66c-11f1-a076-02fc00000001'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let path: string
let clock: FakeClock

beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder.path, 'replicas.json')
  clock = new FakeClock()
  newestIs(null)
  lineageIs(null)
})

afterEach(async () => {
  // What a new claim began to save would be written into a folder that is being removed.
  for (const claims of all.splice(0)) await claims.save().catch(() => undefined)
  await folder[Symbol.asyncDispose]()
})

const all: SpoolClaims[] = []

let newest: SpoolFile | undefined
let lineage: EpochRecord | null

async function opened({ isNew = false } = {}): Promise<SpoolClaims> {
  const catalog = {
    newestFile: () => newest,
    lineage: () => lineage,
    fileFrom: () => newest,
    storedFiles: () => (newest === undefined ? [] : [newest]),
  }
  const options = {
    path,
    clock,
    catalog: () => catalog,
    disk: realDisk,
    log: silentLog,
    ageMsMax: 1_000,
  }
  const claims = new SpoolClaims(options)
  all.push(claims)
  await claims.load(isNew)
  return claims
}

/** As after a restart. */
async function closedAndOpened(claims: SpoolClaims): Promise<SpoolClaims> {
  await claims.close()
  return await opened()
}

/** The newest file, by its place; null for a spool without one. */
function newestIs(file: { readonly epoch: number; readonly ordinal: number } | null): void {
  newest = file === null ? undefined : beginFile('', { ...file, name: 'b.1', gtidsBefore: '' })
}

/** Its newest lineage began with `epoch`; null: no reset of the source is known. */
function lineageIs(epoch: number | null): void {
  lineage = epoch === null ? null : ({ epoch } as EpochRecord)
}

function standing(claims: SpoolClaims, replica: string, epoch: number | null): ReplicaStanding {
  lineageIs(epoch)
  return claims.standing(replica)
}

async function release(
  claims: SpoolClaims,
  replica: string,
  epoch: number,
  lineageEpoch: number | null,
): Promise<boolean> {
  lineageIs(lineageEpoch)
  newestIs({ epoch, ordinal: 1 })
  return await claims.release(replica)
}

/** It is served a file of an epoch, in a log that ends with `newestOrdinal`. */
function confirm(
  claims: SpoolClaims,
  claim: ClaimName,
  file: ClaimedFile,
  newestOrdinal = 3,
): void {
  newestIs({ epoch: file.epoch, ordinal: newestOrdinal })
  claims.confirm(claim, file)
}

test('a replica whose claim expired holds nothing, and is known as one of before', async () => {
  const claims = await opened({ isNew: true })
  confirm(claims, 'replica:id:2', { ordinal: 3, epoch: 1 }, 3)
  await clock.advance(2_000)
  expect(claims.expire()).toMatchObject([{ claim: 'replica:id:2', ordinal: 3 }])
  expect([claims.list(), claims.neededFrom()]).toEqual([[], Number.POSITIVE_INFINITY])
  await claims.close()
  const again = await opened()
  expect(standing(again, 'id:2', null)).toBe('sound')
  expect(standing(again, 'id:2', 2)).toBe('outdated')
  expect(standing(again, 'id:9', 2)).toBe('unseen')
  confirm(again, 'replica:id:2', { ordinal: 5, epoch: 2 }, 5)
  expect(standing(again, 'id:2', 2)).toBe('sound')
})

test('a person has the last word on a replica, until the next reset', async () => {
  const claims = await opened({ isNew: true })
  confirm(claims, 'replica:id:2', { ordinal: 3, epoch: 1 }, 3)
  expect(await release(claims, 'id:2', 1, null)).toBe(true)
  expect(await release(claims, 'id:2', 1, null)).toBe(false)
  // It was detached before the reset: what it has is of before.
  expect(standing(claims, 'id:2', 2)).toBe('outdated')
  expect(await release(claims, 'id:2', 2, 2)).toBe(true)
  expect(standing(claims, 'id:2', 2)).toBe('sound')
  expect(standing(claims, 'id:2', 3)).toBe('outdated')
  expect(await release(claims, 'id:9', 2, 2)).toBe(false)
})

test('a replica that left out data is known until a person has made it anew', async () => {
  const claims = await opened({ isNew: true })
  const settings = 'IGNORE_DOMAIN_IDS=7'
  claims.noteLeftOut('id:2', 'of one that was never served')
  expect(claims.leftOut('id:2')).toBeNull()
  confirm(claims, 'replica:id:2', { ordinal: 3, epoch: 1 }, 3)
  claims.noteLeftOut('id:2', settings)
  claims.noteLeftOut('id:2', 'another=1')
  confirm(claims, 'replica:id:2', { ordinal: 4, epoch: 1 }, 4)
  await clock.advance(2_000)
  claims.expire()
  await claims.close()
  const again = await opened()
  expect(again.leftOut('id:2')).toMatchObject({ settings })
  expect(await release(again, 'id:2', 1, null)).toBe(true)
  expect([again.leftOut('id:2'), await release(again, 'id:2', 1, null)]).toEqual([null, false])
})

test('one replica too many is forgotten, and from then on nobody unknown is believed', async () => {
  const claims = await opened({ isNew: true })
  for (let number = 0; number <= TOMBSTONES_MAX; number += 1) {
    confirm(claims, `replica:id:${number}`, { ordinal: 1, epoch: 4 }, 1)
  }
  await clock.advance(2_000)
  expect(claims.expire()).toHaveLength(TOMBSTONES_MAX + 1)
  await claims.close()
  const again = await opened()
  expect(standing(again, 'id:1', 5)).toBe('outdated')
  for (const unknown of ['id:0', 'id:999999']) {
    expect(standing(again, unknown, null)).toBe('sound')
    expect(standing(again, unknown, 4)).toBe('unseen')
    expect(standing(again, unknown, 5)).toBe('doubtful')
  }
  expect(await release(again, 'id:0', 5, 5)).toBe(true)
  expect(standing(again, 'id:0', 5)).toBe('sound')
})

describe('a claim that is no replica’s', () => {
  const first = { ordinal: 1, epoch: 1 }

  test('is kept over a restart, and counts for nothing that is about replicas', async () => {
    const claims = await opened({ isNew: true })
    confirm(claims, 'backup:nightly', first)
    const again = await closedAndOpened(claims)
    expect(again.list()).toMatchObject([{ claim: 'backup:nightly', kind: 'backup', ordinal: 1 }])
    expect(again.neededFrom()).toBe(1)
    lineageIs(2)
    expect([again.outdatedReplicas(), again.standing('nightly')]).toEqual([[], 'unseen'])
    // A replica is served nothing of before a reset; a backup has to have it all the same.
    confirm(again, 'replica:id:2', { ...first, ordinal: 0 })
    expect(again.neededFrom()).toBe(1)
    again.letGo('replica:id:2')
    lineageIs(null)
    again.letGo('backup:nightly')
    expect((await closedAndOpened(again)).list()).toEqual([])
  })

  test('is let go when it does not move on, also one of before a reset', async () => {
    const claims = await opened({ isNew: true })
    confirm(claims, 'backup:nightly', first)
    confirm(claims, 'replica:id:2', first)
    lineageIs(2)
    await clock.advance(2_000)
    expect(claims.expire().map(({ claim }) => claim)).toEqual(['backup:nightly'])
    lineageIs(null)
    claims.confirm('backup:nightly', first)
    expect(claims.list().map(({ claim }) => claim)).toEqual(['replica:id:2'])
    claims.confirm('backup:nightly', { ...first, ordinal: 2 })
    expect(claims.list()).toHaveLength(2)
  })

  test('has a place of its own, however many replicas there are', async () => {
    const claims = await opened({ isNew: true })
    for (let id = 0; id < CLAIMS_MAX; id += 1) confirm(claims, `replica:id:${id}`, first)
    expect(claims.hasPlaceFor('replica:id:999')).toBe(false)
    expect(claims.hasPlaceFor('replica:id:1')).toBe(true)
    expect(claims.hasPlaceFor('backup:nightly')).toBe(true)
    for (let id = 0; id < CLAIMS_MAX; id += 1) confirm(claims, `backup:${id}`, first)
    expect(claims.hasPlaceFor('backup:nightly')).toBe(false)
    await claims.close()
  })
})

describe('the record of who was served', () => {
  async function saved(): Promise<void> {
    const claims = await opened({ isNew: true })
    confirm(claims, 'replica:id:2', { ordinal: 3, epoch: 1 }, 3)
    await claims.close()
  }

  test.each([
    '',
    '{',
    '{"format":9}',
    '[]',
    '{"format":3,"savedAtMs":1}',
    '{"format":4,"savedAtMs":1,"forgotten":null,"claims":{"x:1":{}}}',
    ' '.repeat(5_000_000),
  ])('that is damaged is kept aside and is no empty one: %.30s', async (text) => {
    await saved()
    await writeFile(path, text)
    const claims = await opened()
    expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text)
    expect(claims.damaged).toMatchObject({ path: `${path}.damaged` })
    expect(standing(claims, 'id:2', null)).toBe('sound')
    expect(standing(claims, 'id:2', 2)).toBe('doubtful')
    await claims.close()
    const again = await opened()
    expect([again.damaged?.path, standing(again, 'id:2', 2)]).toEqual([
      `${path}.damaged`,
      'doubtful',
    ])
    await rm(`${path}.damaged`)
    await again.noticeDamage()
    expect([again.damaged, standing(again, 'id:2', 2)]).toEqual([null, 'doubtful'])
  })

  test('that was lost is no empty one; that of a new spool is', async () => {
    await saved()
    await rm(path)
    expect(standing(await opened(), 'id:2', 2)).toBe('doubtful')
    expect(standing(await opened({ isNew: true }), 'id:2', 2)).toBe('unseen')
    await expect(access(`${path}.damaged`)).rejects.toThrow()
  })

  test('of the version before names all, in their order', async () => {
    const leftOut = { settings: 'IGNORE_DOMAIN_IDS=7', sinceMs: 4 }
    const replicas = {
      'id:7': { ordinal: 3, epoch: 2, atMs: 5 },
      [UUID]: { ordinal: null, epoch: 1, atMs: 5, leftOut },
      'connection:4': { ordinal: 1, epoch: 1, atMs: 5 },
    }
    const record = { format: 3, savedAtMs: 5, forgotten: 1, replicas }
    await writeFile(path, JSON.stringify(record))
    const before = await opened()
    for (const claims of [before, await closedAndOpened(before)]) {
      expect(claims.list()).toMatchObject([{ claim: 'replica:id:7', ordinal: 3, epoch: 2 }])
      expect([claims.seniority('id:7'), claims.seniority(UUID)]).toEqual([0, 1])
      expect([claims.leftOut(UUID), claims.leftOut('id:7')]).toEqual([leftOut, null])
      const at2 = ['id:7', UUID, 'id:9'].map((id) => standing(claims, id, 2))
      expect(at2).toEqual(['sound', 'outdated', 'doubtful'])
    }
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ format: 4, forgotten: 1 })
  })

  test.each([
    '{"format":1,"needed":{"id:2":3}}',
    '{"format":2,"savedAtMs":5,"needed":{"id:2":{"ordinal":3,"atMs":5,"epoch":2}}}',
  ])('of an older version does not name all: %s', async (text) => {
    await writeFile(path, text)
    const claims = await opened()
    expect(claims.list()).toMatchObject([{ claim: 'replica:id:2', ordinal: 3 }])
    expect([standing(claims, 'id:2', 2), standing(claims, 'id:9', 2)]).toEqual([
      text.includes('"epoch":2') ? 'sound' : 'outdated',
      'doubtful',
    ])
  })

  test('keeps nothing for a reader of files that a crash cut off', async () => {
    const claims = await opened({ isNew: true })
    confirm(claims, 'reader:7', { ordinal: 1, epoch: 1 }, 1)
    await claims.save()
    const again = await opened()
    expect([again.list(), standing(again, '7', 2)]).toEqual([[], 'unseen'])
  })
})

describe('a replica that is connected and stands still', () => {
  const first = { ordinal: 1, epoch: 1 }

  test('is let go in the end, and taken again when it moves on', async () => {
    const claims = await opened({ isNew: true })
    newestIs({ epoch: 1, ordinal: 9 })
    const move = (reached: number): void => {
      claims.confirm('replica:id:2', first, { ...first, ordinal: reached })
    }
    for (let minute = 0; minute <= 10; minute += 1) {
      move(1)
      await clock.advance(100)
    }
    expect(claims.list()).toMatchObject([{ claim: 'replica:id:2', ageMs: 1_100 }])
    expect(claims.expire()).toHaveLength(1)
    move(1)
    expect(claims.list()).toEqual([])
    move(2)
    expect(claims.list()).toMatchObject([{ claim: 'replica:id:2', ageMs: 0 }])
  })

  test('is a new one after a person has detached it', async () => {
    const claims = await opened({ isNew: true })
    confirm(claims, 'replica:id:2', first, 9)
    await clock.advance(100)
    await release(claims, 'id:2', 1, null)
    confirm(claims, 'replica:id:2', first, 9)
    expect(claims.list()).toMatchObject([{ ageMs: 0 }])
  })

  test('ranks by when it was served first, also over a restart', async () => {
    const claims = await opened({ isNew: true })
    for (const id of ['id:7', 'id:5', 'id:6']) confirm(claims, `replica:${id}`, first, 1)
    confirm(claims, 'replica:id:7', { ...first, ordinal: 2 }, 2)
    await claims.close()
    const again = await opened()
    expect(['id:7', 'id:5', 'id:6', 'id:8'].map((id) => again.seniority(id))).toEqual([
      ...[0, 1, 2],
      Number.POSITIVE_INFINITY,
    ])
  })
})
