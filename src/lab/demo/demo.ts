import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowDataPacket } from 'mysql2/promise'
import { systemClock } from '../../base/clock.ts'
import { codeOf, describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { type CopyReport, compareLab } from '../compare/compare-copy.ts'
import { downLab } from '../lab-down.ts'
import { landbridgeCommand } from '../lab-gateways.ts'
import { withLabLock } from '../lab-lock.ts'
import { type LabPaths, labPaths } from '../lab-paths.ts'
import { waitForLab } from '../lab-readiness.ts'
import { gatewayName, type LabShape, labelled, type StreamName } from '../lab-shape.ts'
import { databaseOf, type LabState, sourceOf } from '../lab-state.ts'
import { upLab } from '../lab-up.ts'
import { Workload, type WorkloadOptions } from '../load/workload.ts'
import { LOAD_SCHEMA } from '../load/workload-statements.ts'
import { withRoot } from '../servers/lab-databases.ts'
import { clearWan, describeWan, type WanSettings } from '../wan/wan-settings.ts'
import { binlogBytesOf, DemoMonitor } from './demo-monitor.ts'
import type { DemoScreen } from './demo-screen.ts'
import { type DemoSummary, summarise, summaryLines } from './demo-summary.ts'
import { flipByte } from './flip-byte.ts'

export interface DemoOptions {
  readonly shape: LabShape
  readonly flavor: Flavor
  readonly seconds: number
  /** Of each stream, as is the next. */
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
  const { screen, shape, flavor, wan, gateways, signal } = options
  const progress = (line: string) => screen.line(`  ${line}`)
  for (let number = 1; ; number += 1) {
    const paths = labPaths(number === 1 ? 'demo' : `demo-${number}`)
    const clouds = `${shape.sites.length} clouds`
    screen.stage(`Building ${clouds} on this machine (lab ${paths.name}, ${flavor})`)
    try {
      const lab = { paths, shape, flavor, wan, gateways, owned: true }
      const { state } = await upLab({ ...lab, progress, signal })
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
  const loads = state.streams.map(({ name }) => ({
    stream: name,
    workload: new Workload(workloadOptions(options, sourceOf(state, name).socket)),
  }))
  const committed = () => loads.reduce((sum, { workload }) => sum + workload.status().committed, 0)
  const monitor = new DemoMonitor({ paths, state, committed })
  const seconds = await load(options, paths, state, { loads, monitor })
  const failures: string[] = []
  if (state.gateways.length > 0) {
    try {
      await waitForReturn(options, paths, state)
    } catch (error) {
      options.signal.throwIfAborted()
      failures.push(describeError(error))
    }
  }
  const copies = await compare(options, state, { loads, failures })
  // Once more: what a gateway that came back has sent since counts as well.
  await monitor.sample()
  const binlogBytes = (await binlogBytesOf(state)) ?? 0
  const final = {
    ...{ flavor, seconds, transactions: committed(), binlogBytes, failures },
    tunnelBytes: monitor.tunnelBytes,
    copies: copies.map((copy) => ({ ...copy, ...monitor.lagOf(copy) })),
  }
  const summary = summarise(final)
  screen.stage('Summary')
  for (const line of summaryLines(summary, final)) screen.line(line)
  return summary
}

interface Load {
  readonly stream: StreamName
  readonly workload: Workload
}

function workloadOptions(options: DemoOptions, socket: string): WorkloadOptions {
  return {
    socket,
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
  { loads, monitor }: { readonly loads: readonly Load[]; readonly monitor: DemoMonitor },
): Promise<number> {
  const { screen, signal } = options
  const where = state.streams.map(({ name, origin }) => `${name} at ${origin}`).join(', ')
  const sources = loads.length === 1 ? 'the source' : `the sources (${where})`
  screen.stage(`Writing to ${sources} for ${options.seconds} s`)
  if (state.gateways.length > 0) explainKilling(screen, paths, state)
  const startedMs = performance.now()
  const stopShowing = new AbortController()
  const showing = showUntil(monitor, screen, AbortSignal.any([signal, stopShowing.signal]))
  let seconds = 0
  try {
    await Promise.all(loads.map(({ workload }) => boundedRun(workload, options)))
    seconds = (performance.now() - startedMs) / 1_000
  } finally {
    stopShowing.abort()
    await showing
  }
  signal.throwIfAborted()
  screen.keepTable()
  for (const { stream, workload } of loads) {
    const at = loads.length === 1 ? 'the source' : `the source of ${stream}`
    screen.done(`${workload.status().committed} transactions are committed at ${at}`)
  }
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
  for (const name of state.sites.map(gatewayName)) {
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
  const { screen } = options
  await waitForLab({
    shape: options.shape,
    gateways: state.gateways,
    want: 'replica',
    waitSeconds: RETURN_SECONDS,
    signal: options.signal,
    progress: (missing, silent) => {
      screen.line(`  waiting (at most ${RETURN_SECONDS} s): ${missing}`)
      if (silent === null) return
      const start = `lab start ${gatewayName(silent)} --name ${paths.name}`
      screen.line(`    ${landbridgeCommand()} ${start}`)
    },
  })
}

async function compare(
  options: DemoOptions,
  state: LabState,
  { loads, failures }: { readonly loads: readonly Load[]; readonly failures: string[] },
): Promise<CopyReport[]> {
  const { screen, signal } = options
  // Waiting has been done: what is not there when all are back for a minute does not come.
  const waitSeconds = failures.length > 0 ? 5 : 60
  screen.stage('Comparing')
  const reports = await compareLab({
    ...{ state, waitSeconds, signal },
    ...(options.corruptSpool ? { beforeCompare: corrupt } : {}),
  })
  for (const { stream, site, label, spool, tables } of reports) {
    const claim = (text: string) => labelled(label, text)
    if (spool !== null) show(screen, claim('spool identical to source'), spool.identical)
    show(screen, claim('replica equals source'), tables.equal)
    const committed = loads.find((one) => one.stream === stream)?.workload.status().committed ?? 0
    const held = await countLedger(databaseOf(state, stream, site))
    if (held < committed) {
      failures.push(claim(`the replica has ${held} of ${committed} acknowledged transactions`))
    }
  }
  return reports
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
