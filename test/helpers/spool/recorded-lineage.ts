import type { Flavor } from '../../../src/base/flavor.ts'
import type { EpochSource } from '../../../src/spool/spool-file.ts'
import { recordedFacts, recordedFile } from '../fixtures.ts'
import { BinlogBytes } from '../source/binlog-bytes.ts'
import { type Boundary, boundariesOf } from '../source/transaction-boundaries.ts'
import { epochSource } from './spool-fixture.ts'

export interface LineageFile {
  readonly epoch: number
  readonly name: string
  readonly bytes: Buffer
  readonly gtidsBefore: string
  /** Where a whole transaction ends; the first is the beginning. */
  readonly boundaries: readonly Boundary[]
}

export interface Lineage {
  readonly flavor: Flavor
  readonly sources: readonly EpochSource[]
  /** In the order in which they were written. */
  readonly files: readonly LineageFile[]
}

const OTHER_UUID = '5f0a1c22-e66c-11f1-a076-02fc00000002'

/**
 * A source's two recorded files, then two of a server that took over from it: the same file names
 * once more, other transactions, one of them of several events.
 */
export function recordedLineage(flavor: Flavor): Lineage {
  const files: LineageFile[] = []
  const all: [number, string, Buffer][] = [
    [1, 'binlog.000001', recordedFile(flavor, 1)],
    [1, 'binlog.000002', recordedFile(flavor, 2)],
    [2, 'binlog.000001', takenOver(flavor, 1, 5).rotate('binlog.000002').take()],
    [2, 'binlog.000002', takenOver(flavor, 6, 9).take()],
  ]
  let gtidsBefore = ''
  for (const [epoch, name, bytes] of all) {
    const boundaries = boundariesOf(flavor, bytes, gtidsBefore)
    files.push({ epoch, name, bytes, gtidsBefore, boundaries })
    gtidsBefore = boundaries.at(-1)?.gtids ?? ''
  }
  const first = epochSource(flavor)
  const isMysql = flavor === 'mysql'
  const second = { ...epochSource(flavor, 8), serverUuid: isMysql ? OTHER_UUID : null }
  return { flavor, sources: [first, second], files }
}

/** Transactions `first` to `last` of the second server. */
function takenOver(flavor: Flavor, first: number, last: number): BinlogBytes {
  const bytes = new BinlogBytes({ serverId: 8 })
  const { end } = recordedFacts(flavor)
  if (flavor === 'mysql') {
    const own = first > 1 ? `,${OTHER_UUID}:1-${first - 1}` : ''
    bytes.previousGtids(`${end}${own}`)
  } else {
    const own = { domainId: 0, serverId: 8, sequence: BigInt(first + 15) }
    const before = first > 1 ? own : { domainId: 0, serverId: 7, sequence: 16n }
    bytes.gtidList(before, { domainId: 5, serverId: 7, sequence: 1n })
  }
  for (let number = first; number <= last; number += 1) {
    const size = number === last ? 900 : 40
    if (flavor === 'mysql') bytes.mysqlTransaction(OTHER_UUID, number, size)
    else {
      const gtid = { domainId: 0, serverId: 8, sequence: BigInt(number + 16) }
      bytes.mariadbTransaction(gtid, size)
    }
  }
  return bytes
}
