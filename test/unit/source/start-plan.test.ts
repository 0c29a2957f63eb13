import { describe, expect, test } from 'vitest'
import type { SourceFacts } from '../../../src/source/source-facts.ts'
import {
  type HeldPlace,
  planStart,
  requirePlace,
  resumesByGtid,
  shorten,
} from '../../../src/source/start-plan.ts'
import { recordedSourceFacts } from '../../helpers/source/recorded-source.ts'

const UUID = '29d14f05-e66c-11f1-a076-02fc00000001'
const OTHER = '11111111-2222-3333-4444-555555555555'

function mysql(change: Partial<SourceFacts> = {}): SourceFacts {
  return {
    ...recordedSourceFacts('mysql'),
    executedGtids: `${UUID}:1-100`,
    files: [
      { name: 'binlog.000001', bytes: 1000 },
      { name: 'binlog.000002', bytes: 2000 },
      { name: 'binlog.000003', bytes: 300 },
    ],
    ...change,
  }
}

function held(change: Partial<HeldPlace> = {}): HeldPlace {
  return {
    source: { flavor: 'mysql', serverId: 7, serverUuid: UUID },
    file: 'binlog.000002',
    offset: 700,
    complete: false,
    gtids: `${UUID}:1-50`,
    ...change,
  }
}

const at = (file: string, offset: number) => ({ file, offset })

describe('the start of a dump', () => {
  test('is everything that the source has, when nothing is held', () => {
    const plan = planStart(null, mysql({ purgedGtids: `${UUID}:1-9` }))
    expect(plan).toMatchObject({ gtids: `${UUID}:1-9`, expect: null })
    expect(plan.newEpoch?.reason).toMatch(/first start/)
  })

  test.each<[string, Partial<HeldPlace>, Partial<SourceFacts>, ReturnType<typeof at>]>([
    ['the next byte of the file held', {}, {}, at('binlog.000002', 700)],
    [
      'the end of a file that does not grow any more',
      { offset: 2000 },
      {},
      at('binlog.000002', 2000),
    ],
    ['the file after a closed one', { complete: true, offset: 2000 }, {}, at('binlog.000003', 0)],
    [
      'the oldest file, when the one held was purged with nothing lost',
      {},
      { files: [{ name: 'binlog.000003', bytes: 300 }], purgedGtids: `${UUID}:1-50` },
      at('binlog.000003', 0),
    ],
  ])('is %s', (_what, heldChange, factsChange, wanted) => {
    const plan = planStart(held(heldChange), mysql(factsChange))
    expect(plan).toEqual({ gtids: `${UUID}:1-50`, expect: wanted, newEpoch: null })
  })

  test.each<[string, Partial<HeldPlace>, Partial<SourceFacts>, RegExp]>([
    ['the server is another one', {}, { serverUuid: OTHER }, /is another server/],
    [
      'the files have other names',
      {},
      { files: [{ name: 'mysql-bin.000001', bytes: 1 }] },
      /no longer named like/,
    ],
  ])('begins an epoch when %s', (_what, heldChange, factsChange, reason) => {
    const plan = planStart(held(heldChange), mysql(factsChange))
    expect(plan).toMatchObject({ gtids: `${UUID}:1-50`, expect: null })
    expect(plan.newEpoch?.reason).toMatch(reason)
  })

  test('waits while the file after a closed one is not begun', () => {
    const closed = held({ file: 'binlog.000003', complete: true, offset: 300 })
    expect(() => planStart(closed, mysql())).toThrow(
      expect.objectContaining({ code: 'ERR_SOURCE_ROTATING', retryable: true }),
    )
  })

  test.each<[string, Partial<HeldPlace>]>([
    ['became shorter', { offset: 2001 }],
    ['is no longer there, though older ones are', { file: 'binlog.000009' }],
  ])('is blocked when the file held %s: GTIDs may have been given again', (_what, change) => {
    expect(() => planStart(held(change), mysql())).toThrow(
      expect.objectContaining({ code: 'ERR_SOURCE_DIVERGED', retryable: false }),
    )
  })

  test('is blocked when the source purged what is not held, naming it', () => {
    expect(() => planStart(held(), mysql({ purgedGtids: `${UUID}:1-60` }))).toThrow(
      expect.objectContaining({
        code: 'ERR_SOURCE_PURGED',
        retryable: false,
        details: { missing: `${UUID}:51-60` },
        remedy: expect.stringContaining('Reseed'),
      }),
    )
  })

  test('is blocked when the source never had what is held, naming it', () => {
    const gtids = `${UUID}:1-50:tag:1-2,${OTHER}:7`
    expect(() => planStart(held({ gtids }), mysql())).toThrow(
      expect.objectContaining({
        code: 'ERR_SOURCE_DIVERGED',
        retryable: false,
        details: { extra: `${OTHER}:7,${UUID}:tag:1-2` },
      }),
    )
  })

  test('is blocked when the source is of the other flavour', () => {
    const facts = { ...recordedSourceFacts('mariadb') }
    expect(() => planStart(held(), facts)).toThrow(
      expect.objectContaining({ code: 'ERR_SPOOL_FLAVOR', retryable: false }),
    )
  })

  test('follows the domains of MariaDB', () => {
    const facts = recordedSourceFacts('mariadb')
    const source = { flavor: 'mariadb', serverId: 7, serverUuid: null } as const
    const state = held({ source, file: 'binlog.000001', gtids: '0-7-13,5-7-1' })
    expect(planStart(state, facts)).toMatchObject({
      gtids: '0-7-13,5-7-1',
      expect: at('binlog.000001', 700),
      newEpoch: null,
    })
    expect(() => planStart(state, { ...facts, purgedGtids: '0-7-14' })).toThrow(
      expect.objectContaining({ code: 'ERR_SOURCE_PURGED', details: { missing: '0-7-14' } }),
    )
    expect(() => planStart({ ...state, gtids: '0-7-13,9-7-1' }, facts)).toThrow(
      expect.objectContaining({ code: 'ERR_SOURCE_DIVERGED', details: { extra: '9-7-1' } }),
    )
    const other = { ...facts, serverId: 8 }
    expect(planStart(state, other).newEpoch?.reason).toMatch(/is another server/)
  })
})

describe('a source whose transactions or bytes of before are gone', () => {
  const state = held({ firstTimestamp: 1000, lastTimestamp: 2000 })
  const fresh = (change: Partial<SourceFacts> = {}): SourceFacts => {
    return mysql({
      executedGtids: `${UUID}:1-3`,
      files: [{ name: 'binlog.000001', bytes: 500 }],
      ...change,
    })
  }
  const begins = { gtids: '', expect: null, newEpoch: { breaksLineage: true } }
  const isBlocked = expect.objectContaining({ code: 'ERR_SOURCE_DIVERGED', retryable: false })

  test('was reset when its oldest file is younger than all that is held', () => {
    const plan = planStart(state, fresh(), { oldest: 2001, held: null })
    expect(plan).toMatchObject(begins)
    expect(plan.newEpoch?.reason).toMatch(/reset at 1970-01-01T00:33:21\.000Z/)
  })

  test('was reset too when that was within the second of the newest event', () => {
    expect(planStart(state, fresh(), { oldest: 2000, held: null })).toMatchObject(begins)
    const young = held({ firstTimestamp: 2000, lastTimestamp: 2000 })
    expect(() => planStart(young, fresh(), { oldest: 2000, held: null })).toThrow(isBlocked)
  })

  test('was reset although it has more than before under the same names and GTIDs', () => {
    const facts = mysql({ files: [{ name: 'binlog.000002', bytes: 9000 }] })
    const times = { oldest: 2001, held: 2001 }
    expect(planStart(state, facts, times)).toMatchObject(begins)
    expect(planStart({ ...state, gtids: '' }, facts, times)).toMatchObject(begins)
    expect(() => planStart(state, facts, { oldest: 1999, held: 2001 })).toThrow(isBlocked)
    expect(planStart(state, facts, { oldest: 1000, held: 1000 }).newEpoch).toBeNull()
  })

  test('begins anew with what it says that it had purged', () => {
    const purgedGtids = `${OTHER}:1-7`
    const facts = fresh({ purgedGtids, executedGtids: `${OTHER}:1-7,${UUID}:1-3` })
    const plan = planStart(state, facts, { oldest: 2001, held: null })
    expect(plan).toMatchObject({ ...begins, gtids: purgedGtids })
  })

  test.each<[string, Partial<HeldPlace>, Partial<SourceFacts>, number | null]>([
    ['has an older file: a crash or a copy', {}, {}, 1999],
    ['purged what is held: a crash long ago', {}, { purgedGtids: `${UUID}:1-2` }, 2001],
    ['was not asked for its oldest file', {}, {}, null],
    ['is asked for a receiver that does not tell times', { lastTimestamp: undefined }, {}, 2001],
    ['is another server', {}, { serverUuid: OTHER }, 2001],
  ])('is blocked when it %s', (_what, heldChange, factsChange, oldest) => {
    const times = { oldest, held: null }
    expect(() => planStart({ ...state, ...heldChange }, fresh(factsChange), times)).toThrow(
      isBlocked,
    )
  })

  test('follows the servers of MariaDB', () => {
    const source = { flavor: 'mariadb', serverId: 7, serverUuid: null } as const
    const maria = { ...state, source, gtids: '0-9-3,0-7-50' }
    const facts = { ...recordedSourceFacts('mariadb'), executedGtids: '0-7-3' }
    const times = { oldest: 2001, held: null }
    const purged = (purgedGtids: string) => planStart(maria, { ...facts, purgedGtids }, times)
    expect(purged('')).toMatchObject(begins)
    expect(purged('1-7-5')).toMatchObject({ ...begins, gtids: '1-7-5' })
    expect(() => purged('0-9-1')).toThrow(isBlocked)
  })
})

describe('the start at a MariaDB that deleted a domain', () => {
  const source = { flavor: 'mariadb', serverId: 7, serverUuid: null } as const
  const facts = { ...recordedSourceFacts('mariadb'), executedGtids: '0-7-50' }
  const [, newest] = facts.files
  const place = { file: newest?.name ?? '', offset: newest?.bytes ?? 0, firstTimestamp: 1000 }
  const state = held({ source, gtids: '0-7-50,5-7-3', ...place })
  const times = { oldest: null, held: 1000 }
  const isBlocked = expect.objectContaining({ details: { extra: '5-7-3' } })

  test('goes on where it was while the file is the one that is held', () => {
    const { file, offset } = place
    expect(planStart(state, facts, times)).toMatchObject({
      gtids: '0-7-50,5-7-3',
      expect: { file, offset },
      newEpoch: null,
    })
  })

  test('goes on with newer files of the same server', () => {
    const files = [{ name: 'binlog.000009', bytes: 900 }]
    const plan = planStart(state, { ...facts, files }, { oldest: null, held: null })
    expect(plan.expect).toEqual({ file: 'binlog.000009', offset: 0 })
  })

  test.each([
    ['the file is another one', state, facts, { oldest: null, held: 2000 }],
    ['nobody knows whether it is', state, facts, { oldest: null, held: null }],
    ['bytes of it are missing', { ...state, offset: 1e9 }, facts, times],
    ['it is another server', state, { ...facts, serverId: 8 }, times],
    ['the domain is there with less', state, { ...facts, executedGtids: '0-7-50,5-7-2' }, times],
  ])('is blocked when %s', (_what, was, now, known) => {
    expect(() => planStart(was, now, known)).toThrow(isBlocked)
  })
})

describe('the start at a MariaDB that took over', () => {
  const source = { flavor: 'mariadb', serverId: 7, serverUuid: null } as const
  const state = held({ source, file: 'binlog.000001', gtids: '0-7-50' })
  const taker = { ...recordedSourceFacts('mariadb'), serverId: 8 }

  test('is blocked when it wrote more than the spool holds, but lacks what is held', () => {
    const facts = { ...taker, executedGtids: '0-7-40,0-8-90' }
    expect(() => planStart(state, facts)).toThrow(
      expect.objectContaining({ code: 'ERR_SOURCE_DIVERGED', details: { extra: '0-7-50' } }),
    )
  })

  test.each([
    ['it logged what is held', { executedGtids: '0-7-50,0-8-90' }],
    ['it was made from a backup there', { executedGtids: '0-8-90', replicatedGtids: '0-7-50' }],
  ])('is a new epoch when %s', (_what, change) => {
    expect(planStart(state, { ...taker, ...change }).newEpoch?.reason).toMatch(/another server/)
  })
})

test('shows a long set of GTIDs in part', () => {
  expect(shorten('a')).toBe('a')
  expect(shorten('a'.repeat(301))).toMatch(/^a{300}… \(301 characters\)$/)
})

test('MySQL is resumed by GTID in its newest file only, MariaDB in any', () => {
  const facts = mysql()
  expect(resumesByGtid(at('binlog.000003', 200), facts)).toBe(true)
  expect(resumesByGtid(at('binlog.000002', 700), facts)).toBe(false)
  expect(resumesByGtid(at('binlog.000002', 700), mysql({ files: [] }))).toBe(false)
  expect(resumesByGtid(at('binlog.000002', 700), { ...facts, flavor: 'mariadb' })).toBe(true)
  expect(resumesByGtid(null, facts)).toBe(true)
})

describe('GTIDs added to gtid_purged at a running MySQL source', () => {
  const added = `${OTHER}:1-100`
  const begun = held({ firstTimestamp: 1000, lastTimestamp: 2000 })
  const facts = mysql({ purgedGtids: added, executedGtids: `${added},${UUID}:1-100` })

  test('are asked with where the source has the very file that is held', () => {
    expect(planStart(begun, facts, { oldest: null, held: 1000 })).toEqual({
      gtids: `${added},${UUID}:1-50`,
      expect: at('binlog.000002', 700),
      newEpoch: null,
    })
  })

  test.each<[string, HeldPlace, Partial<SourceFacts>, number | null]>([
    ['nobody knows when the held file began', held(), {}, 1000],
    ['the source’s file was not looked at', begun, {}, null],
    ['the source began it at another time', begun, {}, 1001],
    ['the file is gone', begun, { files: [{ name: 'binlog.000003', bytes: 300 }] }, null],
    ['it has fewer bytes', begun, { files: [{ name: 'binlog.000002', bytes: 600 }] }, 1000],
    ['it is another server', begun, { serverUuid: OTHER }, 1000],
  ])('block where %s', (_what, heldState, change, heldTime) => {
    const times = { oldest: null, held: heldTime }
    expect(() => planStart(heldState, { ...facts, ...change }, times)).toThrow(
      expect.objectContaining({
        code: 'ERR_SOURCE_PURGED',
        remedy: expect.stringContaining('SET GLOBAL gtid_purged'),
      }),
    )
  })
})

test('what is held of a source without files is refused, until it can be read', () => {
  expect(requirePlace(null)).toBeNull()
  expect(requirePlace(held())).toEqual(held())
  expect(() => requirePlace({ ...held(), file: null, offset: null })).toThrow(
    expect.objectContaining({ code: 'ERR_SOURCE_PLACE', remedy: expect.stringMatching(/GTID/) }),
  )
})
