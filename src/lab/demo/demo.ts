import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowDataPacket } from 'mysql2/promise'
import { systemClock } from '../../base/clock.ts'
import { codeOf, describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { readBinlogBytes } from '../compare/binlog-bytes.ts'
import { compareSpool } from '../compare/compare-spool.ts'
import { compareTables } from '../compare/compare-tables.ts'
import { newestEpochFolder } from '../compare/spool-files.ts'
import { downLab } from '../lab-down.ts'
import { landbridgeCommand, waitForPair } from '../lab-gateways.ts'
import { withLabLock } from '../lab-lock.ts'
import { type LabPaths, labPaths } from '../lab-paths.ts'
import type { LabState } from '../lab-state.ts'
import { upLab } from '../lab-up.ts'
import { Workload, type WorkloadOptions } from '../load/workload.ts'
import { LOAD_SCHEMA } from '../load/workload-statements.ts'
import { withRoot } from '../servers/lab-databases.ts'
import { clearWan, describeWan, type WanSettings } from '../wan/wan-settings.ts'
import { DemoMonitor } from './demo-monitor.ts'
import type { DemoScreen } from './demo-screen.ts'
import { type DemoOutcome, type DemoSummary, summarise, summaryLines } from './demo-summary.ts'
import { flipByte } from './flip-byte.ts'

export interface DemoOptions {
  readonly flavor: Flavor
  readonly seconds: number
  readonly transactionsPerSecond: number
  readonly writers: number
  readonly wan: Partial<WanSettings>
  /** Leaves the lab up afterwards. */
  readonly keep: boolean
  /** False: without gateways, to see what loading and comparing do by themselves. */
  readonly gateways: boolean
  /** Breaks one byte of the spool before comparing: the demo must then fail. */
  readonly corruptSpool: boolean
  readonly screen: DemoScreen
  readonly signal: AbortSignal
}

/** For a gateway that somebody killed to be started again, and to catch up. */
const RETURN_SECONDS = 120
const WRITERS_STOP_MS = 10_000

/** Builds a lab, loads it, shows what flows, compares all ends, removes the lab. */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const { screen } = options
  const { paths, state } = await buildDemoLab(options)
  try {
    screen.done(`everything is up; the WAN: ${describeWan({ ...clearWan, ...options.wan })}`)
    return await loadAndCompare(options, paths, state)
  } finally {
    await tidyUp(options, paths)
  }
}

async function tidyUp({ keep, screen, signal }: DemoOptions, paths: LabPaths): Promise<void> {
  const landbridge = landbridgeCommand()
  if (keep && !signal.aborted) {
    screen.line(`\nThe lab ${paths.name} stays up:`)
    screen.line(`  ${landbridge} lab status --name ${paths.name}`)
    screen.line(`  ${landbridge} lab down --name ${paths.name}`)
    return
  }
  await withLabLock(paths, () => downLab(paths), { waitMs: 5_000 })
  screen.line(`The lab ${paths.name} is gone (--keep would leave it running).`)
}

const DEMOS_MAX = 9

/** `demo`, or `demo-2` and so on while the demos before are still running. */
async function buildDemoLab(
  options: DemoOptions,
): Promise<{ readonly paths: LabPaths; readonly state: LabState }> {
  const { screen, flavor, wan, gateways, signal } = options
  const progress = (line: string) => screen.line(`  ${line}`)
  for (let number = 1; ; number += 1) {
    const paths = labPaths(number === 1 ? 'demo' : `demo-${number}`)
    screen.stage(`Building two clouds on this machine (lab ${paths.name}, ${flavor})`)
    try {
      const { state } = await upLab({ paths, flavor, wan, gateways, owned: true, progress, signal })
      return { paths, state }
    } catch (error) {
      if (codeOf(error) !== 'ERR_LAB_BUSY' || number === DEMOS_MAX) throw error
      progress('there is a demo in it already')
    }
  }
}

async function loadAndCompare(
  options: DemoOptions,
  paths: LabPaths,
  state: LabState,
): Promise<DemoSummary> {
  const { screen, flavor } = options
  const workload = new Workload(workloadOptions(options, state))
  const monitor = new DemoMonitor({ paths, state, workload })
  const seconds = await load(options, paths, state, { workload, monitor })
  const transactions = workload.status().committed
  const failures: string[] = []
  if (state.gateways !== null) {
    try {
      await waitForReturn(options, paths, state)
    } catch (error) {
      options.signal.throwIfAborted()
      failures.push(describeError(error))
    }
  }
  const compared = await compare(options, state, transactions, failures)
  // Once more: what a gateway that came back has sent since counts as well.
  await monitor.sample()
  const final = { flavor, seconds, transactions, ...monitor.totals(), ...compared, failures }
  const summary = summarise(final)
  screen.stage('Summary')
  for (const line of summaryLines(summary, final)) screen.line(line)
  return summary
}

function workloadOptions(options: DemoOptions, state: LabState): WorkloadOptions {
  return {
    socket: state.databases.source?.socket ?? '',
    flavor: options.flavor,
    clock: systemClock,
    writers: options.writers,
    transactionsPerSecond: options.transactionsPerSecond,
    secondsMax: options.seconds,
    transactionsMax: null,
    definitionSeconds: 2,
    seed: 1,
  }
}

/** Returns how long it took, in seconds. */
async function load(
  options: DemoOptions,
  paths: LabPaths,
  state: LabState,
  { workload, monitor }: { readonly workload: Workload; readonly monitor: DemoMonitor },
): Promise<number> {
  const { screen, signal } = options
  screen.stage(`Writing to the source for ${options.seconds} s`)
  if (state.gateways !== null) explainKilling(screen, paths, state)
  const startedMs = performance.now()
  const stopShowing = new AbortController()
  const showing = showUntil(monitor, screen, AbortSignal.any([signal, stopShowing.signal]))
  let seconds = 0
  try {
    await boundedRun(workload, options)
    seconds = (performance.now() - startedMs) / 1_000
  } finally {
    stopShowing.abort()
    await showing
  }
  signal.throwIfAborted()
  screen.keepTable()
  screen.done(`${workload.status().committed} transactions are committed at the source`)
  return Number(seconds.toFixed(1))
}

/** A source that does not come back must not hold the demo for ever. */
async function boundedRun(workload: Workload, { signal, seconds }: DemoOptions): Promise<void> {
  const limit = AbortSignal.timeout(seconds * 1_000 + WRITERS_STOP_MS)
  await workload.run(AbortSignal.any([signal, limit]))
}

async function showUntil(
  monitor: DemoMonitor,
  screen: DemoScreen,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    screen.sample(await monitor.sample())
    await sleep(1_000, undefined, { signal }).catch(() => undefined)
  }
}

function explainKilling(screen: DemoScreen, paths: LabPaths, state: LabState): void {
  const landbridge = landbridgeCommand()
  screen.line('  Try to break it, from another terminal:')
  for (const name of ['prod-gateway', 'dr-gateway'] as const) {
    const pid = state.processes[name]?.pid
    screen.line(
      `    kill -9 ${pid}   and then   ${landbridge} lab start ${name} --name ${paths.name}`,
    )
  }
}

async function waitForReturn(
  options: DemoOptions,
  paths: LabPaths,
  state: LabState,
): Promise<void> {
  if (state.gateways === null) return
  const { screen } = options
  await waitForPair({
    gateways: state.gateways,
    want: 'replica',
    waitSeconds: RETURN_SECONDS,
    signal: options.signal,
    progress: (missing) => {
      screen.line(`  waiting (at most ${RETURN_SECONDS} s): ${missing}`)
      const name = /^the (production|DR) gateway/.exec(missing)?.[1]
      if (name === undefined) return
      const process = name === 'DR' ? 'dr-gateway' : 'prod-gateway'
      screen.line(`    ${landbridgeCommand()} lab start ${process} --name ${paths.name}`)
    },
  })
}

async function compare(
  options: DemoOptions,
  state: LabState,
  committed: number,
  failures: string[],
): Promise<Pick<DemoOutcome, 'spool' | 'tables' | 'binlogBytes'>> {
  const { screen, signal } = options
  const { source, replica } = state.databases
  if (source === undefined || replica === undefined) throw new TypeError('the lab is up')
  // Waiting has been done: what is not there when the pair is back for a minute does not come.
  const waitSeconds = failures.length > 0 ? 5 : 60
  screen.stage('Comparing')
  const spool =
    state.gateways === null
      ? null
      : await compareSpool({
          sourceSocket: source.socket,
          sourceBinlogDirectory: source.binlogDirectory,
          spoolFiles: () => newestEpochFolder(state.spoolDirectory),
          waitSeconds,
          signal,
          ...(options.corruptSpool ? { beforeCompare: corrupt } : {}),
        })
  if (spool !== null) show(screen, 'spool identical to source', spool.identical)
  const tables = await compareTables({
    flavor: options.flavor,
    sourceSocket: source.socket,
    replicaSocket: replica.socket,
    waitSeconds,
    signal,
  })
  show(screen, 'replica equals source', tables.equal)
  const held = await countLedger(replica)
  if (held < committed) {
    failures.push(`the replica has ${held} of ${committed} acknowledged transactions`)
  }
  return {
    spool,
    tables,
    binlogBytes: spool?.sourceBytes ?? (await readBinlogBytes(source.binlogDirectory)) ?? 0,
  }
}

function show(screen: DemoScreen, claim: string, holds: boolean): void {
  if (holds) screen.done(claim)
  else screen.failed(`NOT ${claim}`)
}

async function corrupt(spoolFiles: string, names: readonly string[]): Promise<void> {
  await flipByte(join(spoolFiles, names.at(-1) ?? ''))
}

async function countLedger(replica: { readonly socket: string }): Promise<number> {
  return withRoot(replica, async (connection) => {
    try {
      const [rows] = await connection.query<RowDataPacket[]>(
        `SELECT COUNT(*) AS held FROM ${LOAD_SCHEMA}.ledger`,
      )
      return Number(rows[0]?.held ?? 0)
    } catch {
      // The table itself has not arrived: compareTables has said so.
      return 0
    }
  })
}
