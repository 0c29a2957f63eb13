import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../base/clock.ts'
import { describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { downLab } from '../lab-down.ts'
import { landbridgeCommand } from '../lab-gateways.ts'
import { withLabLock } from '../lab-lock.ts'
import type { LabPaths } from '../lab-paths.ts'
import { readSites, statusAt } from '../lab-readiness.ts'
import {
  copiesOf,
  copyLabel,
  gatewayName,
  type LabCopy,
  type LabShape,
  labelled,
  type StreamName,
} from '../lab-shape.ts'
import type { SiteName } from '../lab-sites.ts'
import { databaseOf, gatewayOf, type LabState, requireState, sourceOf } from '../lab-state.ts'
import { upLab } from '../lab-up.ts'
import { clearWan, type WanSettings } from '../wan/wan-settings.ts'
import { type ChaosSummary, type FaultReport, summaryText } from './chaos-summary.ts'
import { concludeChaos } from './conclusion.ts'
import { disturbsReplica, disturbsSpool, type Fault, faultName, faultText } from './fault.ts'
import { FaultInjector } from './fault-injector.ts'
import { FlowWatch } from './flow-watch.ts'
import { LedgerWriter } from './ledger-writer.ts'
import { anonymousMiB, MemoryWatch } from './memory-watch.ts'
import { replicaRecovery, spoolRecovery } from './recovery.ts'
import { planFaults, type Step } from './schedule.ts'
import { readSourcePosition } from './source-position.ts'

export interface ChaosOptions {
  readonly paths: LabPaths
  readonly shape: LabShape
  readonly flavor: Flavor
  readonly seconds: number
  readonly seed: number
  readonly scale: number
  readonly only?: readonly string[]
  /** Of each stream, as is the next. */
  readonly transactionsPerSecond: number
  readonly writers: number
  readonly wan: Partial<WanSettings>
  /** Memory of the gateways must end where it began. */
  readonly steadyMemory: boolean
  readonly keepOnFailure: boolean
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/** What does not flow again by then is a failure of its own. */
const RECOVERY_MS_MAX = 90_000
const WATCH_MS = 500
/** Bytes flow before the first fault. */
const CALM_MS = 1_500

/** Builds a lab, breaks it for so long, heals it, and counts what is missing. */
export async function runChaos(options: ChaosOptions): Promise<ChaosSummary> {
  const { paths, shape, flavor, say, signal } = options
  const wan = { ...clearWan, ...options.wan }
  say(`Building ${shape.sites.length} clouds on this machine (lab ${paths.name}, ${flavor})`)
  const progress = (line: string) => say(`  ${line}`)
  const lab = { paths, shape, flavor, wan, gateways: true, breakable: true, owned: true }
  const { state } = await upLab({ ...lab, progress, signal })
  let summary: ChaosSummary | null = null
  try {
    summary = await new ChaosRun(options, state, wan).run()
    say(summaryText(summary))
    return summary
  } finally {
    await tidyUp(options, summary)
  }
}

async function tidyUp(options: ChaosOptions, summary: ChaosSummary | null): Promise<void> {
  const { paths, keepOnFailure, say, signal } = options
  if (keepOnFailure && summary?.ok !== true && !signal.aborted) {
    say(`The lab ${paths.name} stays as it is:`)
    say(`  logs   ${paths.logDirectory}`)
    say(`  data   ${paths.dataDirectory}`)
    say(`  ${landbridgeCommand()} lab status --name ${paths.name}`)
    say(`  ${landbridgeCommand()} lab down --name ${paths.name}`)
    return
  }
  await withLabLock(paths, () => downLab(paths), { waitMs: 5_000 })
}

class ChaosRun {
  readonly #options: ChaosOptions
  readonly #state: LabState
  readonly #injector: FaultInjector
  readonly #writers: ReadonlyMap<StreamName, LedgerWriter>
  readonly #reports: FaultReport[] = []
  readonly #flows: readonly { readonly copy: LabCopy; readonly flow: FlowWatch }[]
  readonly #memory: ReadonlyMap<SiteName, MemoryWatch>
  #startedMs = 0

  constructor(options: ChaosOptions, state: LabState, wan: WanSettings) {
    const { paths, flavor, writers, transactionsPerSecond, seed } = options
    this.#options = options
    this.#state = state
    this.#injector = new FaultInjector({ paths, flavor, wan, state })
    const rate = { writers, transactionsPerSecond }
    const writerOf = (name: StreamName, index: number) => {
      const { socket } = sourceOf(state, name)
      return new LedgerWriter({ socket, clock: systemClock, ...rate, seed: seed + index })
    }
    this.#writers = new Map(state.streams.map(({ name }, at) => [name, writerOf(name, at)]))
    this.#flows = copiesOf(state).map((copy) => ({ copy, flow: new FlowWatch(copy.stream) }))
    this.#memory = new Map(state.sites.map((site) => [site, new MemoryWatch()]))
  }

  async run(): Promise<ChaosSummary> {
    const { signal, say, seconds, seed } = this.#options
    const writers = [...this.#writers.values()]
    for (const writer of writers) await writer.prepare()
    const stopWriting = new AbortController()
    const writingSignal = AbortSignal.any([signal, stopWriting.signal])
    const writing = writers.map((writer) => writer.run(writingSignal))
    const watching = this.#watchFlows(writingSignal)
    try {
      await sleep(CALM_MS, undefined, { signal })
      say(`Breaking it for ${seconds} s (seed ${seed})`)
      await this.#breakThings()
    } finally {
      say('Healing everything')
      // Also when it was interrupted: a stopped process would not end by itself.
      await this.#injector.healAll()
      stopWriting.abort()
      await Promise.all([...writing, watching])
    }
    return await concludeChaos({
      ...this.#options,
      state: this.#state,
      ledgers: new Map([...this.#writers].map(([name, { ledger }]) => [name, ledger])),
      reports: this.#reports,
      untold: this.#flows.flatMap((one) => this.#untold(one.copy, one.flow)),
      memory: Object.fromEntries([...this.#memory].map(([site, watch]) => [site, watch.report()])),
      elapsedSeconds: Math.round((performance.now() - this.#startedMs) / 1_000),
    })
  }

  #untold(copy: LabCopy, { failures }: FlowWatch): string[] {
    const label = copyLabel(this.#state, copy)
    return failures.map((failure) => labelled(label, failure))
  }

  /** Until abort: does the gateway of a copy say so when nothing flows to it? */
  async #watchFlows(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sites = await readSites(this.#state.gateways)
      for (const { copy, flow } of this.#flows) {
        const status = statusAt(sites, copy.site)
        const acknowledged = this.#writers.get(copy.stream)?.ledger.acknowledged.size ?? 0
        flow.observe({ nowMs: performance.now(), status, acknowledged })
      }
      await this.#watchMemory()
      await sleep(WATCH_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #watchMemory(): Promise<void> {
    const { processes } = await requireState(this.#options.paths)
    for (const [site, watch] of this.#memory) {
      const pid = processes[gatewayName(site)]?.pid ?? 0
      const mib = anonymousMiB(pid)
      if (mib !== null) watch.observe(pid, mib)
    }
  }

  async #breakThings(): Promise<void> {
    const { seconds, signal } = this.#options
    this.#startedMs = performance.now()
    for (const step of planFaults(this.#options)) {
      const waitMs = this.#startedMs + step.atMs - performance.now()
      if (performance.now() - this.#startedMs + waitMs > seconds * 1_000) break
      if (waitMs > 0) await sleep(waitMs, undefined, { signal })
      await this.#step(step)
      if (performance.now() - this.#startedMs > seconds * 1_000) break
    }
  }

  async #step(step: Step): Promise<void> {
    const atMs = Math.round(performance.now() - this.#startedMs)
    const skipped = await Promise.all(
      step.faults.map(({ fault, offsetMs }) => this.#oneFault(fault, offsetMs)),
    )
    const faults = step.faults.map(({ fault }) => fault)
    const recovery = step.awaitsRecovery ? await this.#recovery(faults) : NOT_MEASURED
    for (const [index, fault] of faults.entries()) {
      const report = {
        step: step.index,
        name: faultName(fault),
        text: faultText(fault),
        atMs,
        skipped: skipped[index] ?? null,
        ...recovery,
      }
      this.#reports.push(report)
      this.#options.say(reportLine(report))
    }
  }

  /** Returns why it could not be done, or null. */
  async #oneFault(fault: Fault, offsetMs: number): Promise<string | null> {
    const { signal } = this.#options
    await sleep(offsetMs, undefined, { signal })
    let heal: () => Promise<void>
    try {
      heal = await this.#injector.inject(fault.action)
    } catch (error) {
      signal.throwIfAborted()
      return describeError(error)
    }
    await sleep(fault.holdMs, undefined, { signal })
    await heal()
    return null
  }

  /** Until the slowest copy has it. */
  async #recovery(
    faults: readonly Fault[],
  ): Promise<Pick<FaultReport, 'recoveryMs' | 'replicaRecoveryMs' | 'late'>> {
    const measuresSpool = faults.some((fault) => disturbsSpool(this.#state, fault))
    const measuresReplica = faults.some((fault) => disturbsReplica(this.#state, fault))
    const measured = await Promise.all(
      copiesOf(this.#state).map((copy) => this.#recoveryOf(copy, measuresSpool, measuresReplica)),
    )
    return {
      recoveryMs: measuresSpool ? Math.max(...measured.map(({ spoolMs }) => spoolMs)) : null,
      replicaRecoveryMs: measuresReplica
        ? Math.max(...measured.map(({ replicaMs }) => replicaMs))
        : null,
      late: measured.flatMap(({ name, isLate }) => (isLate ? [name] : [])),
    }
  }

  async #recoveryOf(copy: LabCopy, measuresSpool: boolean, measuresReplica: boolean) {
    const { flavor, signal } = this.#options
    const { stream, site } = copy
    const wanted = await readSourcePosition(flavor, sourceOf(this.#state, stream).socket)
    const options = {
      ...{ flavor, stream, signal },
      adminSocket: gatewayOf(this.#state, site).adminSocket,
      replicaSocket: databaseOf(this.#state, stream, site).socket,
      waitMs: RECOVERY_MS_MAX,
    }
    const [spoolMs, replicaMs] = await Promise.all([
      measuresSpool ? spoolRecovery(wanted, options) : null,
      measuresReplica ? replicaRecovery(wanted, options) : null,
    ])
    return {
      name: copyLabel(this.#state, copy) || 'the copy',
      isLate: measuresSpool && spoolMs === null,
      spoolMs: spoolMs ?? RECOVERY_MS_MAX,
      replicaMs: replicaMs ?? RECOVERY_MS_MAX,
    }
  }
}

const NOT_MEASURED = { recoveryMs: null, replicaRecoveryMs: null, late: [] } as const

function reportLine({ atMs, text, skipped, recoveryMs, replicaRecoveryMs }: FaultReport): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`
  const outcome =
    skipped === null
      ? [
          recoveryMs === null ? null : `flows again after ${seconds(recoveryMs)}`,
          replicaRecoveryMs === null ? null : `replica after ${seconds(replicaRecoveryMs)}`,
        ]
          .filter((part) => part !== null)
          .join(', ')
      : `skipped: ${skipped}`
  const at = (atMs / 1_000).toFixed(1).padStart(7)
  return `  [${at} s] ${text}${outcome === '' ? '' : ` → ${outcome}`}`
}
