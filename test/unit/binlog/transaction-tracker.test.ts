import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import { EventFramer } from '../../../src/binlog/event-framer.ts'
import { addGtidEvent, type GtidEvent } from '../../../src/binlog/gtid-event.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { createTransactionTracker } from '../../../src/binlog/transaction-tracker.ts'
import {
  eventsOf,
  fixtureBytes,
  type RawEvent,
  recordedFacts,
  recordedFile,
} from '../../helpers/fixtures.ts'

interface Found {
  readonly start: number
  readonly end: number
  readonly types: number[]
  readonly event: GtidEvent
}

/** Transactions with the types of their events; what is outside of all is left out. */
function transactionsOf(flavor: Flavor, file: Buffer, events = eventsOf(file)): Found[] {
  const tracker = createTransactionTracker(flavor)
  const found: Found[] = []
  let types: number[] = []
  let start = 0
  let current: RawEvent | undefined
  const framer = new EventFramer({
    checksum: true,
    visitor: {
      onHeader: (header) => tracker.captureBytes(header),
      onEnd: (header, body) => {
        if (current === undefined) throw new Error('no event')
        const wasInside = tracker.isInside
        tracker.observe(header, body, current.start)
        if (!wasInside) {
          types = []
          start = current.start
        }
        types.push(header.type)
        const { completed } = tracker
        if (completed !== null) found.push({ start, end: current.end, types, event: completed })
      },
    },
  })
  for (const event of events) {
    current = event
    framer.push(event.bytes, 0, event.bytes.length)
  }
  return found
}

function typesOf(found: readonly Found[]): string[] {
  return found.map(({ types }) => types.join(' '))
}

describe('transactions of MySQL', () => {
  const file = recordedFile('mysql', 1)
  const found = transactionsOf('mysql', file)

  test('are what the source counted, tagged ones too', () => {
    const gtids = parseGtidSet('mysql', '')
    for (const { event } of found) addGtidEvent(gtids, event)
    const { middle, uuid } = recordedFacts('mysql')
    const last = parseGtidSet('mysql', middle)
    last.add(`${uuid}:13`)
    expect(gtids.toString()).toBe(last.toString())
  })

  test('end where the length in their first event says', () => {
    expect(typesOf(found)).toEqual([
      '33 2',
      '33 2',
      '33 2',
      '33 2 19 30 16',
      '33 2 19 30 19 30 19 31 16',
      '33 2 19 30 2',
      '33 2 19 30 2',
      '33 2 19 30 2 38',
      '33 2',
      '33 2 19 30 2 38',
      '33 2',
      '33 2 19 30 16',
      '42 2 19 32 16',
      '33 2 19 30 16',
    ])
    for (const [index, { start, end, event }] of found.entries()) {
      expect(event).toMatchObject({ flavor: 'mysql', transactionBytes: end - start })
      if (index > 0) expect(start).toBe(found[index - 1]?.end)
    }
  })

  test('say when they were committed', () => {
    const commits = found.map(({ event }) => (event.flavor === 'mysql' ? event.commitUs : 0))
    const seconds = file.readUInt32LE(4)
    for (const us of commits) expect(Math.abs(us / 1e6 - seconds)).toBeLessThan(600)
    expect(commits).toEqual(commits.toSorted((a, b) => a - b))
  })

  test('have no GTID where the source runs without', () => {
    const anonymous = transactionsOf('mysql', fixtureBytes('mysql-anonymous.hex'))
    expect(typesOf(anonymous)).toEqual([
      '34 2',
      '34 2',
      '34 2',
      '34 2 19 30 16',
      '34 2 19 30 19 30 19 31 16',
    ])
    for (const { event } of anonymous) expect(event.gtid).toBeNull()
  })

  test('are refused when they run past their length', () => {
    const events = eventsOf(file).slice(0, 4)
    const [first, second, gtid, query] = events as [RawEvent, RawEvent, RawEvent, RawEvent]
    const late = { ...query, start: query.start + 1, end: query.end + 1 }
    expect(() => transactionsOf('mysql', file, [first, second, gtid, late])).toThrow(
      expect.objectContaining({ code: 'ERR_TRANSACTION_LENGTH' }),
    )
  })
})

describe('transactions of MariaDB', () => {
  const file = recordedFile('mariadb', 1)
  const found = transactionsOf('mariadb', file)

  test('are what the source counted, of all domains', () => {
    const gtids = parseGtidSet('mariadb', '')
    for (const { event } of found) addGtidEvent(gtids, event)
    expect(gtids.toString()).toBe('0-7-14,5-7-1')
    expect(found).toHaveLength(15)
  })

  test('end at a statement, a commit, an XID, or an XA prepare', () => {
    expect(typesOf(found)).toEqual([
      '162 2',
      '162 2',
      '162 2',
      '162 160 19 23 16',
      '162 160 19 23 160 19 23 160 19 24 16',
      '162 160 19 23 2',
      '162 160 19 23 2',
      '162 160 19 23 2 38',
      '162 2',
      '162 160 19 23 2 38',
      '162 2',
      '162 2',
      '162 5 13 14 2 2',
      '162 2',
      '162 160 19 23 16',
    ])
  })

  test('end where the next one begins, or at the end of the file', () => {
    for (const [index, { end }] of found.entries()) {
      expect(end).toBe(found[index + 1]?.start ?? file.length - 44)
    }
  })

  test('are found without checksums too', () => {
    expect(typesOf(transactionsOf('mariadb', fixtureBytes('mariadb-plain.hex')))).toEqual([
      '162 2',
      '162 2',
      '162 2',
      '162 160 19 23 16',
      '162 160 19 23 160 19 23 160 19 24 16',
      '162 160 19 23 2',
    ])
  })

  test('do not end at an event that stands between groups', () => {
    const events = eventsOf(file)
    const checkpoint = events.find(({ type }) => type === 161) as RawEvent
    const at = events.findIndex(({ type }) => type === 19)
    const mixed = [...events.slice(0, at), checkpoint, ...events.slice(at)]
    expect(transactionsOf('mariadb', file, mixed)).toHaveLength(15)
  })

  test('end at a ROLLBACK, and not at a statement that only mentions one', () => {
    const events = eventsOf(file)
    const commits = events.filter(({ bytes }) => bytes.includes('\0COMMIT'))
    const [commit] = commits as [RawEvent]
    const at = events.indexOf(commit)
    const plain = fixtureBytes('mariadb-plain.hex')
    const before = eventsOf(plain).slice(0, 1)
    const group = events.slice(at - 4, at).map(withoutSum)
    const ended = (text: string): number => {
      const bytes = Buffer.concat([commit.bytes.subarray(0, -10), Buffer.from(text)])
      bytes.writeUInt32LE(bytes.length, 9)
      const query = { ...commit, bytes }
      return transactionsOf('mariadb', plain, [...before, ...group, query]).length
    }
    expect(ended('COMMIT')).toBe(1)
    expect(ended('ROLLBACK')).toBe(1)
    expect(ended('ROLLBACK TO a')).toBe(0)
    expect(ended('SELECT COMMIT')).toBe(0)
    expect(ended('XCOMMIT')).toBe(0)
  })
})

function withoutSum(event: RawEvent): RawEvent {
  const bytes = Buffer.from(event.bytes.subarray(0, -4))
  bytes.writeUInt32LE(bytes.length, 9)
  return { ...event, bytes }
}

describe.each(['mysql', 'mariadb'] as const)('a tracker of %s', (flavor) => {
  test('forgets an open transaction when told to', () => {
    const events = eventsOf(recordedFile(flavor, 1))
    const gtid = events.find(({ type }) => type === 33 || type === 162) as RawEvent
    const tracker = createTransactionTracker(flavor)
    const header = { timestamp: 0, type: gtid.type, serverId: 7, size: 0, logPos: 0, flags: 0 }
    tracker.observe(header, gtid.bytes.subarray(19), gtid.start)
    expect(tracker.isInside).toBe(true)
    tracker.reset()
    expect([tracker.isInside, tracker.completed]).toEqual([false, null])
  })
})
