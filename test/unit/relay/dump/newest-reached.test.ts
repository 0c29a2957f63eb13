import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LogFile } from '../../../../src/binlog/log.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../../../../src/binlog/mysql-gtid-set.ts'
import { SOURCE_UNHEARD, startByMysqlSet } from '../../../../src/relay/dump/dump-start.ts'
import { newestReached } from '../../../../src/relay/dump/newest-reached.ts'
import { FileClaim } from '../../../../src/relay/replica/file-claim.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { PlainBinlogStore } from '../../../helpers/relay/plain-binlog-store.ts'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const FILES = 5_000
/** Twice the steps of a search among so many, and the oldest file for what is purged. */
const SETS_MAX = 2 * Math.ceil(Math.log2(FILES)) + 2
/** Gaps that make every set 20 kB. */
const GAPS = 2_500

test('finds what a look at each file finds, and asks about few', () => {
  const cases = fc.integer({ min: 0, max: 3_000 }).chain((length) => {
    return fc.tuple(fc.constant(length), fc.integer({ min: 0, max: length }))
  })
  fc.assert(
    fc.property(cases, ([length, count]) => {
      const files = Array.from({ length }, (_, at) => at)
      let asked = 0
      const isReached = (at: number): boolean => {
        asked += 1
        return at < count
      }
      expect(newestReached(files, isReached)).toBe(count === 0 ? undefined : count - 1)
      expect(asked).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(length + 1)) + 1)
    }),
  )
})

/** A store of thousands of files that counts how many of their sets are read. */
class CountingStore extends PlainBinlogStore {
  setsRead = 0

  constructor() {
    super()
    const gaps = Array.from({ length: GAPS }, (_, at) => 2 * at + 1).join(':')
    const upTo = (number: number) => `${UUID}:${gaps}:${2 * GAPS + 2}-${2 * GAPS + 1 + number}`
    const store = this
    const files = Array.from({ length: FILES }, (_, at): LogFile => {
      const name = `b.${String(at + 1).padStart(6, '0')}`
      return {
        ...{ ordinal: at + 1, epoch: 1, name, path: '/nowhere' },
        get gtidsBefore() {
          store.setsRead += 1
          return at === 0 ? '' : upTo(at)
        },
      }
    })
    this.replace({
      identity: {
        ...{ flavor: 'mysql', serverVersion: '9.7.4', serverId: 1 },
        ...{ serverUuid: UUID, gtidDomainId: null },
      },
      files,
      sizes: new Map(),
      end: { ordinal: FILES, offset: 4 },
      gtids: upTo(FILES),
    })
  }

  held(file: number): string {
    return file === 0 ? '' : (this.files()[file]?.gtidsBefore ?? '')
  }
}

test.each([0, 17, 2_500, 4_999])(
  'a replica that has what is before file %d of 5,000 is answered by looking at few sets',
  async (at) => {
    const store = new CountingStore()
    const identity = store.identity()
    if (identity === null) throw new Error('there is an identity')
    const gtids = encodeMysqlGtidSet(parseMysqlGtidSet(store.held(at)))
    store.setsRead = 0
    // It lacks something of each file behind, so nothing else has to be looked at.
    const wish = { gtids, file: '', position: 4n }
    const start = startByMysqlSet(store, identity, wish, SOURCE_UNHEARD)
    const found = await start.catch((error: NodeJS.ErrnoException) => {
      // Whether the file before has a transaction at its end is read from the file: there is none.
      if (error.code !== 'ENOENT') throw error
    })
    if (found) expect(found.file.ordinal).toBe(at + 1)
    expect(store.setsRead).toBeLessThanOrEqual(SETS_MAX)
  },
)

test('what such a replica needs is found by looking at few sets', () => {
  const store = new CountingStore()
  const applied = store.held(2_500)
  const options = { store, claim: 'replica:1' as const, clock: new FakeClock(), keepSentMs: 0 }
  const claim = new FileClaim({ ...options, applied: () => applied })
  store.setsRead = 0
  claim.reach(store.files().at(-1) as LogFile)
  expect(store.claims.kept.get('replica:1')).toBe('b.002501')
  expect(store.setsRead).toBeLessThanOrEqual(SETS_MAX)
})
