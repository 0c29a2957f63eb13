import type { RowDataPacket } from 'mysql2/promise'
import { describeError } from '../../base/errors.ts'
import { type CopyReport, compareCopy } from '../compare/compare-copy.ts'
import { epochFolders } from '../compare/spool-files.ts'
import { type LabCopy, labelled } from '../lab-shape.ts'
import { databaseOf, type LabState, spoolOf } from '../lab-state.ts'
import { withRoot } from '../servers/lab-databases.ts'
import type { ServerRecord } from '../servers/server-options.ts'
import type { CopyVerdict } from './chaos-summary.ts'
import { checkLedger, type LedgerReport, readHistory } from './ledger-check.ts'
import { LEDGER_SCHEMA } from './ledger-statements.ts'
import type { Ledger } from './ledger-writer.ts'

export interface JudgeCopyOptions {
  readonly state: LabState
  readonly copy: LabCopy
  /** Of the stream's source. */
  readonly ledger: Ledger
  readonly waitSeconds: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

export interface JudgedCopy {
  readonly verdict: CopyVerdict
  readonly failures: readonly string[]
}

/** Compares one copy with its origin, and counts every transaction in it. */
export async function judgeCopy(options: JudgeCopyOptions): Promise<JudgedCopy> {
  const { state, copy, signal } = options
  const report = await compareCopy(options)
  const { label, spool, tables } = report
  options.say(comparedText(report))
  const folders = await epochFolders(spoolOf(state, copy.stream, copy.site))
  const counted = await count(options, folders.at(-1) ?? '').catch((error: unknown) => {
    signal.throwIfAborted()
    return { lost: 0, doubled: 0, failures: [`counting failed: ${describeError(error)}`] }
  })
  const failures = [
    ...(spool?.failures ?? ['was not compared']).map((failure) => `spool: ${failure}`),
    ...tables.failures.map((failure) => `replica: ${failure}`),
    ...(folders.length > 1 ? [`the spool began ${folders.length - 1} needless epochs`] : []),
    ...counted.failures,
  ]
  return {
    verdict: {
      ...copy,
      lost: counted.lost,
      doubled: counted.doubled,
      spoolIdentical: spool?.identical ?? false,
      replicaEqual: tables.equal,
    },
    failures: failures.map((failure) => labelled(label, failure, ', ')),
  }
}

function comparedText({ label, spool, tables }: CopyReport): string {
  const text =
    `spool ${spool?.files} files, ${spool?.bytes} bytes compared, ` +
    `replica ${tables.tables} tables, ${tables.rows} rows`
  return `  ${labelled(label, text)}`
}

async function count(
  { state, copy, ledger }: JudgeCopyOptions,
  spoolFiles: string,
): Promise<LedgerReport> {
  const replica = databaseOf(state, copy.stream, copy.site)
  return checkLedger({
    ledger,
    spool: await readHistory(state.flavor, spoolFiles),
    replica: await readHistory(state.flavor, replica.binlogDirectory),
    applied: await readTrace(replica),
  })
}

async function readTrace(replica: ServerRecord): Promise<Map<number, number>> {
  return withRoot(replica, async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT txn, COUNT(*) AS times FROM ${LEDGER_SCHEMA}.trace GROUP BY txn`,
    )
    return new Map(rows.map(({ txn, times }) => [Number(txn), Number(times)]))
  })
}
