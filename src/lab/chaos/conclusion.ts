import { writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import type { RowDataPacket } from 'mysql2/promise'
import { describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { compareSpool, type SpoolReport } from '../compare/compare-spool.ts'
import { compareTables, type TablesReport } from '../compare/compare-tables.ts'
import { epochFolders } from '../compare/spool-files.ts'
import { startLabProcess } from '../lab-control.ts'
import { waitForPair } from '../lab-gateways.ts'
import type { LabPaths } from '../lab-paths.ts'
import { type LabState, processNames } from '../lab-state.ts'
import { withRoot } from '../servers/lab-databases.ts'
import {
  byFault,
  type ChaosSummary,
  type FaultReport,
  recoveriesOf,
  spreadOf,
} from './chaos-summary.ts'
import { checkLedger, type LedgerReport, readHistory } from './ledger-check.ts'
import { LEDGER_SCHEMA } from './ledger-statements.ts'
import type { Ledger } from './ledger-writer.ts'
import { memoryGrowth } from './memory-watch.ts'

export interface ConclusionOptions {
  readonly paths: LabPaths
  readonly state: LabState
  readonly flavor: Flavor
  readonly seed: number
  readonly ledger: Ledger
  readonly reports: readonly FaultReport[]
  /** Times that nothing flowed while the status was ok. */
  readonly untold: readonly string[]
  readonly memory: ChaosSummary['memory']
  /** Memory that grew is a failure. */
  readonly steadyMemory: boolean
  readonly elapsedSeconds: number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const CATCH_UP_SECONDS = 120

/** Everything is healed: waits until all has arrived, then counts and compares. */
export async function concludeChaos(options: ConclusionOptions): Promise<ChaosSummary> {
  const { say, state, ledger, reports, flavor, seed, signal } = options
  const failures: string[] = [...options.untold, ...growthOf(options)]
  try {
    await waitUntilWhole(options)
  } catch (error) {
    signal.throwIfAborted()
    failures.push(`after the heal: ${describeError(error)}`)
  }
  say('Comparing')
  const { spool, tables } = await compare(options, failures)
  const folders = await epochFolders(state.spoolDirectory)
  if (folders.length > 1) failures.push(`the spool began ${folders.length - 1} needless epochs`)
  const counted = await count(options, folders.at(-1) ?? '').catch((error: unknown) => {
    signal.throwIfAborted()
    return { lost: 0, doubled: 0, failures: [`counting failed: ${describeError(error)}`] }
  })
  failures.push(...counted.failures)
  const late = reports.filter(({ recoveryMs }) => (recoveryMs ?? 0) >= 90_000)
  failures.push(...late.map(({ text }) => `no byte flowed within 90 s after: ${text}`))
  const summary = {
    ok: failures.length === 0 && spool.identical && tables.equal,
    flavor,
    seed,
    seconds: options.elapsedSeconds,
    faults: reports.filter(({ skipped }) => skipped === null).length,
    transactions: ledger.acknowledged.size,
    unknown: ledger.unknown.size,
    lost: counted.lost,
    doubled: counted.doubled,
    spoolIdentical: spool.identical,
    replicaEqual: tables.equal,
    recoveryMs: spreadOf(recoveriesOf(reports, 'recoveryMs')),
    replicaRecoveryMs: spreadOf(recoveriesOf(reports, 'replicaRecoveryMs')),
    byFault: byFault(reports),
    memory: options.memory,
    machine: machineAtWork(),
    failures,
  }
  await keepEvidence(options, summary)
  return summary
}

function growthOf({ steadyMemory, memory }: ConclusionOptions): string[] {
  if (!steadyMemory) return []
  const growths = [
    memoryGrowth('the production gateway', memory.production),
    memoryGrowth('the DR gateway', memory.dr),
  ]
  return growths.filter((growth) => growth !== null)
}

function machineAtWork(): ChaosSummary['machine'] {
  // The last 15 minutes: most of a long run.
  return { processors: availableParallelism(), load: Number((loadavg()[2] ?? 0).toFixed(1)) }
}

async function waitUntilWhole({ paths, state, signal, say }: ConclusionOptions): Promise<void> {
  for (const name of processNames(state)) await startLabProcess(paths, name)
  if (state.gateways === null) return
  await waitForPair({
    gateways: state.gateways,
    want: 'replica',
    waitSeconds: CATCH_UP_SECONDS,
    signal,
    progress: (missing) => say(`  waiting: ${missing}`),
  })
}

async function compare(
  { flavor, state, signal, say }: ConclusionOptions,
  failures: string[],
): Promise<{ readonly spool: SpoolReport; readonly tables: TablesReport }> {
  const { source, replica } = state.databases
  if (source === undefined || replica === undefined) throw new TypeError('the lab is up')
  const waitSeconds = failures.length > 0 ? 10 : CATCH_UP_SECONDS
  const spool = await compareSpool({
    sourceSocket: source.socket,
    sourceBinlogDirectory: source.binlogDirectory,
    spoolFiles: async () => (await epochFolders(state.spoolDirectory)).at(-1) ?? null,
    waitSeconds,
    signal,
  })
  failures.push(...spool.failures.map((failure) => `spool: ${failure}`))
  say(`  spool: ${spool.files} files, ${spool.bytes} bytes compared`)
  const tables = await compareTables({
    flavor,
    sourceSocket: source.socket,
    replicaSocket: replica.socket,
    waitSeconds,
    signal,
  })
  failures.push(...tables.failures.map((failure) => `replica: ${failure}`))
  say(`  replica: ${tables.tables} tables, ${tables.rows} rows compared`)
  return { spool, tables }
}

async function count(options: ConclusionOptions, spoolFiles: string): Promise<LedgerReport> {
  const { flavor, state, ledger } = options
  const { replica } = state.databases
  if (replica === undefined) throw new TypeError('the lab is up')
  return checkLedger({
    ledger,
    spool: await readHistory(flavor, spoolFiles),
    replica: await readHistory(flavor, replica.binlogDirectory),
    applied: await readTrace(replica),
  })
}

async function readTrace(replica: { readonly socket: string }): Promise<Map<number, number>> {
  return withRoot(replica, async (connection) => {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT txn, COUNT(*) AS times FROM ${LEDGER_SCHEMA}.trace GROUP BY txn`,
    )
    return new Map(rows.map(({ txn, times }) => [Number(txn), Number(times)]))
  })
}

/** Beside the logs; it stays with `--keep-on-failure`. */
async function keepEvidence(options: ConclusionOptions, summary: ChaosSummary): Promise<void> {
  const { paths, ledger, reports } = options
  const evidence = {
    summary,
    reports,
    unknown: [...ledger.unknown],
    abandoned: [...ledger.abandoned],
  }
  const path = join(paths.logDirectory, 'chaos.json')
  await writeFile(path, `${JSON.stringify(evidence, null, 2)}\n`)
}
