import { writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { startLabProcess } from '../lab-control.ts'
import type { LabPaths } from '../lab-paths.ts'
import { waitForLab } from '../lab-readiness.ts'
import { copiesOf, type StreamName } from '../lab-shape.ts'
import { type LabState, processNames } from '../lab-state.ts'
import {
  byFault,
  type ChaosSummary,
  type FaultReport,
  lateCopies,
  recoveriesOf,
  spreadOf,
} from './chaos-summary.ts'
import { type JudgedCopy, judgeCopy } from './copy-verdict.ts'
import type { Ledger } from './ledger-writer.ts'
import { memoryGrowth } from './memory-watch.ts'

export interface ConclusionOptions {
  readonly paths: LabPaths
  readonly state: LabState
  readonly flavor: Flavor
  readonly seed: number
  readonly ledgers: ReadonlyMap<StreamName, Ledger>
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
  const { say, reports, flavor, seed, signal } = options
  const failures: string[] = [...options.untold, ...growthOf(options)]
  try {
    await waitUntilWhole(options)
  } catch (error) {
    signal.throwIfAborted()
    failures.push(`after the heal: ${describeError(error)}`)
  }
  say('Comparing')
  const judged = await judgeCopies(options, failures.length > 0 ? 10 : CATCH_UP_SECONDS)
  failures.push(...judged.flatMap((one) => one.failures))
  failures.push(...lateCopies(reports))
  const copies = judged.map(({ verdict }) => verdict)
  const spoolIdentical = copies.every((copy) => copy.spoolIdentical)
  const replicaEqual = copies.every((copy) => copy.replicaEqual)
  const ledgers = [...options.ledgers.values()]
  const summary = {
    ok: failures.length === 0 && spoolIdentical && replicaEqual,
    flavor,
    seed,
    seconds: options.elapsedSeconds,
    faults: reports.filter(({ skipped }) => skipped === null).length,
    transactions: sumOf(ledgers.map(({ acknowledged }) => acknowledged.size)),
    unknown: sumOf(ledgers.map(({ unknown }) => unknown.size)),
    lost: sumOf(copies.map(({ lost }) => lost)),
    doubled: sumOf(copies.map(({ doubled }) => doubled)),
    spoolIdentical,
    replicaEqual,
    copies,
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

/** One after the other: each closes the binlog file that its source writes to. */
async function judgeCopies(
  { state, ledgers, say, signal }: ConclusionOptions,
  waitSeconds: number,
): Promise<JudgedCopy[]> {
  const judged: JudgedCopy[] = []
  for (const copy of copiesOf(state)) {
    const ledger = ledgers.get(copy.stream)
    if (ledger === undefined) throw new TypeError(`nobody wrote to ${copy.stream}`)
    judged.push(await judgeCopy({ state, copy, ledger, waitSeconds, say, signal }))
  }
  return judged
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function growthOf({ steadyMemory, memory }: ConclusionOptions): string[] {
  if (!steadyMemory) return []
  return Object.entries(memory)
    .map(([site, report]) => memoryGrowth(`the ${site} gateway`, report))
    .filter((growth) => growth !== null)
}

function machineAtWork(): ChaosSummary['machine'] {
  // The last 15 minutes: most of a long run.
  return { processors: availableParallelism(), load: Number((loadavg()[2] ?? 0).toFixed(1)) }
}

async function waitUntilWhole({ paths, state, signal, say }: ConclusionOptions): Promise<void> {
  for (const name of processNames(state)) await startLabProcess(paths, name)
  await waitForLab({
    shape: state,
    gateways: state.gateways,
    want: 'replica',
    waitSeconds: CATCH_UP_SECONDS,
    signal,
    progress: (missing) => say(`  waiting: ${missing}`),
  })
}

/** Beside the logs; it stays with `--keep-on-failure`. */
async function keepEvidence(options: ConclusionOptions, summary: ChaosSummary): Promise<void> {
  const { paths, ledgers, reports } = options
  const streams = [...ledgers].map(([stream, { unknown, abandoned }]) => ({
    stream,
    unknown: [...unknown],
    abandoned: [...abandoned],
  }))
  const path = join(paths.logDirectory, 'chaos.json')
  await writeFile(path, `${JSON.stringify({ summary, reports, streams }, null, 2)}\n`)
}
