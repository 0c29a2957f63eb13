import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { FileScanner } from '../../binlog/file-scanner.ts'
import type { GtidEvent } from '../../binlog/gtid-event.ts'
import { marksIn } from './ledger-statements.ts'
import type { Ledger } from './ledger-writer.ts'

/** What a folder of binlog files says happened, in its order. */
export interface History {
  readonly marks: readonly number[]
  readonly gtids: readonly string[]
  readonly failures: readonly string[]
}

/**
 * Reads binlog files with landbridge's own scanner. Only whole transactions count: a server that
 * was killed may leave the beginning of one at the end of a file.
 */
export async function readHistory(flavor: Flavor, folder: string): Promise<History> {
  const marks: number[] = []
  const gtids: string[] = []
  const failures: string[] = []
  const names = (await readdir(folder)).filter((name) => /^[^.]+\.\d{6,}$/.test(name)).sort()
  for (const name of names) {
    const bytes = await readFile(join(folder, name))
    const scanner = new FileScanner(
      flavor,
      { offset: 0, checksum: false },
      {
        onTransaction: (gtid: GtidEvent) => void gtids.push(gtidText(gtid)),
        onPreviousGtids: () => undefined,
      },
    )
    try {
      scanner.push(bytes)
    } catch (error) {
      failures.push(`${name}: ${describeError(error)}`)
    }
    for (const id of marksIn(bytes.subarray(0, scanner.boundary))) marks.push(id)
  }
  return { marks, gtids, failures }
}

function gtidText(event: GtidEvent): string {
  if (event.flavor === 'mysql') {
    const { uuid, tag, number } = event.gtid ?? { uuid: '', tag: '', number: 0n }
    return `${uuid}:${tag}:${number}`
  }
  const { domainId, serverId, sequence } = event.gtid
  return `${domainId}-${serverId}-${sequence}`
}

export interface LedgerReport {
  /** Acknowledged by the source and missing somewhere. */
  readonly lost: number
  /** More than once somewhere. */
  readonly doubled: number
  readonly failures: readonly string[]
}

export interface LedgerEvidence {
  readonly ledger: Ledger
  readonly spool: History
  /** The replica's own binlog: what it applied, in its order. */
  readonly replica: History
  /** Rows of the replica's trace table by transaction. */
  readonly applied: ReadonlyMap<number, number>
}

const EXAMPLES_MAX = 8

/** Every acknowledged transaction once everywhere, in one order; none that was given up. */
export function checkLedger({ ledger, spool, replica, applied }: LedgerEvidence): LedgerReport {
  const failures = [
    ...spool.failures.map((failure) => `spool ${failure}`),
    ...replica.failures.map((failure) => `replica binlog ${failure}`),
  ]
  const counts = { spool: countsOf(spool.marks), replica: countsOf(replica.marks), table: applied }
  const lost = new Set<number>()
  const doubled = new Set<number>()
  for (const [place, count] of Object.entries(counts)) {
    const missing = [...ledger.acknowledged].filter((id) => !count.has(id))
    const twice = [...count].flatMap(([id, times]) => (times > 1 ? [id] : []))
    const ghosts = [...ledger.abandoned].filter((id) => count.has(id))
    say(failures, `acknowledged, but not in the ${place}`, missing)
    say(failures, `more than once in the ${place}`, twice)
    say(failures, `never committed, but in the ${place}`, ghosts)
    for (const id of missing) lost.add(id)
    for (const id of twice) doubled.add(id)
  }
  for (const [place, { gtids }] of Object.entries({ spool, replica })) {
    const twice = [...countsOf(gtids)].flatMap(([gtid, times]) => (times > 1 ? [gtid] : []))
    say(failures, `GTIDs more than once in the ${place}`, twice)
  }
  const at = spool.marks.findIndex((id, index) => replica.marks[index] !== id)
  if (at !== -1 || spool.marks.length !== replica.marks.length) {
    const [here, there] = [spool.marks[at], replica.marks[at]]
    failures.push(
      `the replica's order departs from the spool's at transaction number ${at + 1}: ` +
        `spool ${here} of ${spool.marks.length}, replica ${there} of ${replica.marks.length}`,
    )
  }
  return { lost: lost.size, doubled: doubled.size, failures }
}

function countsOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function say(failures: string[], what: string, found: readonly (number | string)[]): void {
  if (found.length === 0) return
  const more = found.length > EXAMPLES_MAX ? ', ...' : ''
  failures.push(`${found.length} ${what}: ${found.slice(0, EXAMPLES_MAX).join(', ')}${more}`)
}
