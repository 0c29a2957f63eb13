import { describe, expect, test } from 'vitest'
import { parseMariadbGtidState } from '../../../../src/binlog/mariadb-gtid-state.ts'
import { parseMysqlGtidSet } from '../../../../src/binlog/mysql-gtid-set.ts'
import { MariadbDumpFilter, MysqlDumpFilter } from '../../../../src/relay/dump/dump-filter.ts'
import { DumpUntil } from '../../../../src/relay/dump/dump-until.ts'
import { SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'

const HEAD_BYTES = new BinlogBytes().size

/** The GTID event that such a transaction begins with. */
function firstEvent(bytes: BinlogBytes): Buffer {
  const event = bytes.take().subarray(HEAD_BYTES)
  return event.subarray(0, event.readUInt32LE(9))
}

/** `domain-server-sequence` */
function mariadbEvent(text: string): Buffer {
  const [gtid] = parseMariadbGtidState(text).position()
  if (gtid === undefined) throw new Error(`not a GTID: ${text}`)
  return firstEvent(new BinlogBytes().mariadbTransaction(gtid))
}

function mariadbFilter(
  start: string,
  stored: string,
  until: DumpUntil | null = null,
): MariadbDumpFilter {
  return new MariadbDumpFilter({
    start: parseMariadbGtidState(start),
    strict: true,
    stored: () => parseMariadbGtidState(stored),
    known: parseMariadbGtidState(''),
    until,
  })
}

/** Of `gtids`, what is sent. */
function sentBy(filter: MariadbDumpFilter, gtids: readonly string[]): string[] {
  return gtids.filter((gtid) => !filter.isHeld(mariadbEvent(gtid)))
}

describe('when a dump enters the epoch of another source', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['repeats what is held', ['0-1-1', '0-1-2', '0-1-3', '0-2-4'], ['0-2-4']],
    ['begins right behind it', ['0-2-4', '0-2-5'], ['0-2-4', '0-2-5']],
    ['skips nothing behind the last one held', ['0-1-3', '0-2-2'], ['0-2-2']],
    ['writes in a domain of its own', ['2-2-1', '0-1-3', '2-2-2'], ['2-2-1', '2-2-2']],
  ])('a MariaDB that %s is sent once', (_what, gtids, wanted) => {
    const filter = mariadbFilter('', '0-1-3')
    filter.enterEpoch('0-1-3')
    expect(sentBy(filter, gtids)).toEqual(wanted)
    filter.caughtUp()
  })

  test('a MariaDB replica goes on to look for where it stands in a domain', () => {
    const filter = mariadbFilter('5-1-2', '0-1-3,5-1-9')
    filter.enterEpoch('0-1-3')
    expect(sentBy(filter, ['5-1-1', '0-1-3', '5-1-2', '5-1-3', '0-1-4'])).toEqual([
      '5-1-3',
      '0-1-4',
    ])
  })

  test('MySQL transactions that are held are left out', () => {
    const filter = new MysqlDumpFilter(parseMysqlGtidSet(`${SOURCE_UUID}:1`))
    const isHeld = (number: number): boolean =>
      filter.isHeld(firstEvent(new BinlogBytes().mysqlTransaction(SOURCE_UUID, number)))
    expect([1, 2, 3].map(isHeld)).toEqual([true, false, false])
    filter.enterEpoch(`${SOURCE_UUID}:1-2`)
    expect([1, 2, 3].map(isHeld)).toEqual([true, true, false])
  })
})

describe('a MariaDB replica whose place is not found', () => {
  test('waits while the file that repeats it is not stored that far', () => {
    const filter = mariadbFilter('0-1-3', '0-1-3')
    expect(sentBy(filter, ['0-1-1', '0-1-2'])).toEqual([])
    filter.caughtUp()
    expect(sentBy(filter, ['0-1-3', '0-1-4'])).toEqual(['0-1-4'])
  })

  test('is refused once something later has passed', () => {
    const filter = mariadbFilter('0-1-3', '0-2-4')
    expect(sentBy(filter, ['0-1-1', '0-2-4'])).toEqual([])
    expect(() => filter.caughtUp()).toThrow(expect.objectContaining({ code: 'ERR_DUMP_REFUSED' }))
  })
})

describe('a MariaDB dump until a place', () => {
  /** What is sent of `gtids`, and which of them is the last one looked at. */
  function sentUntil(places: string, gtids: readonly string[], isBefore = false) {
    const until = new DumpUntil({ places: parseMariadbGtidState(places), isBefore })
    const filter = mariadbFilter('', '', until)
    const sent: string[] = []
    for (const gtid of gtids) {
      if (!filter.isHeld(mariadbEvent(gtid))) sent.push(gtid)
      if (filter.isLast) return { sent, last: gtid }
    }
    return { sent, last: null }
  }

  const two = ['0-1-1', '1-1-1', '0-1-2', '1-1-2', '0-1-3', '1-1-3', '0-1-4']

  test.each<[string, readonly string[], string | null]>([
    ['0-1-2', ['0-1-1', '0-1-2'], '0-1-2'],
    ['0-1-2,1-1-2', ['0-1-1', '1-1-1', '0-1-2', '1-1-2'], '1-1-2'],
    ['0-1-3,1-1-1', ['0-1-1', '1-1-1', '0-1-2', '0-1-3'], '0-1-3'],
    ['0-1-9', ['0-1-1', '0-1-2', '0-1-3', '0-1-4'], null],
    ['5-1-1', [], null],
    ['0-7-2', ['0-1-1', '0-1-2', '0-1-3', '0-1-4'], null],
  ])('%s sends what lies before it in the domains named', (places, sent, last) => {
    expect(sentUntil(places, two)).toEqual({ sent, last })
  })

  test('that is in no file ends before the next one of the same server', () => {
    const gtids = ['0-1-1', '0-1-2', '0-1-50', '0-1-51']
    expect(sentUntil('0-1-20', gtids)).toEqual({ sent: ['0-1-1', '0-1-2'], last: '0-1-50' })
  })

  test('may end before the transactions named', () => {
    expect(sentUntil('0-1-2,1-1-3', two, true)).toEqual({
      sent: ['0-1-1', '1-1-1', '1-1-2'],
      last: '1-1-3',
    })
  })
})
