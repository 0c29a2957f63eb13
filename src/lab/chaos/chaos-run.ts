import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../base/clock.ts'
import { describeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { downLab } from '../lab-down.ts'
import { landbridgeCommand, peekStatus } from '../lab-gateways.ts'
import { withLabLock } from '../lab-lock.ts'
import type { LabPaths } from '../lab-paths.ts'
import { type LabState, requireState } from '../lab-state.ts'
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
  readonly flavor: Flavor
  readonly seconds: number
  readonly seed: number
  readonly scale: number
  readonly only?: readonly string[]
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
  const { paths, flavor, say, signal } = options
  const wan = { ...clearWan, ...options.wan }
  say(`Building two clouds on this machine (lab ${paths.name}, ${flavor})`)
  const progress = (line: string) => say(`  ${line}`)
  const lab = { paths, flavor, wan, gateways: true, breakable: true, owned: true }
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
  readonly #writer: LedgerWriter
  readonly #reports: FaultReport[] = []
  readonly #flow = new FlowWatch()
  readonly #memory = { production: new MemoryWatch(), dr: new MemoryWatch() }
  #startedMs = 0

  constructor(options: ChaosOptions, state: LabState, wan: WanSettings) {
    const { paths, flavor, writers, transactionsPerSecond, seed } = options
    this.#options = options
    this.#state = state
    this.#injector = new FaultInjector({ paths, flavor, wan, state })
    const socket = state.databases.source?.socket ?? ''
    const rate = { writers, transactionsPerSecond, seed }
    this.#writer = new LedgerWriter({ socket, clock: systemClock, ...rate })
  }

  async run(): Promise<ChaosSummary> {
    const { signal, say, seconds, seed } = this.#options
    await this.#writer.prepare()
    const stopWriting = new AbortController()
    const writingSignal = AbortSignal.any([signal, stopWriting.signal])
    const writing = this.#writer.run(writingSignal)
    const watching = this.#watchFlow(writingSignal)
    try {
      await sleep(CALM_MS, undefined, { signal })
      say(`Breaking it for ${seconds} s (seed ${seed})`)
      await this.#breakThings()
    } finally {
      say('Healing everything')
      // Also when it was interrupted: a stopped process would not end by itself.
      await this.#injector.healAll()
      stopWriting.abort()
      await Promise.all([writing, watching])
    }
    return await concludeChaos({
      ...this.#options,
      state: this.#state,
      ledger: this.#writer.ledger,
      reports: this.#reports,
      untold: this.#flow.failures,
      memory: { production: this.#memory.production.report(), dr: this.#memory.dr.report() },
      elapsedSeconds: Math.round((performance.now() - this.#startedMs) / 1_000),
    })
  }

  /** Until abort: does the DR gateway say so when nothing flows? */
  async #watchFlow(signal: AbortSignal): Promise<void> {
    const adminSocket = this.#state.gateways?.dr.adminSocket ?? ''
    while (!signal.aborted) {
      const status = await peekStatus(adminSocket)
      const acknowledged = this.#writer.ledger.acknowledged.size
      this.#flow.observe({ nowMs: performance.now(), status, acknowledged })
      await this.#watchMemory()
      await sleep(WATCH_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #watchMemory(): Promise<void> {
    const { processes } = await requireState(this.#options.paths)
    for (const [site, name] of [
      ['production', 'prod-gateway'],
      ['dr', 'dr-gateway'],
    ] as const) {
      const pid = processes[name]?.pid ?? 0
      const mib = anonymousMiB(pid)
      if (mib !== null) this.#memory[site].observe(pid, mib)
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

  async #recovery(
    faults: readonly Fault[],
  ): Promise<Pick<FaultReport, 'recoveryMs' | 'replicaRecoveryMs'>> {
    const { flavor, signal } = this.#options
    const { databases, gateways } = this.#state
    const wanted = await readSourcePosition(flavor, databases.source?.socket ?? '')
    const options = {
      flavor,
      drAdminSocket: gateways?.dr.adminSocket ?? '',
      replicaSocket: databases.replica?.socket ?? '',
      waitMs: RECOVERY_MS_MAX,
      signal,
    }
    const [recoveryMs, replicaRecoveryMs] = await Promise.all([
      faults.some(disturbsSpool) ? spoolRecovery(wanted, options) : null,
      faults.some(disturbsReplica) ? replicaRecovery(wanted, options) : null,
    ])
    const late = (ms: number | null, wait: boolean) => (wait && ms === null ? RECOVERY_MS_MAX : ms)
    return {
      recoveryMs: late(recoveryMs, faults.some(disturbsSpool)),
      replicaRecoveryMs: late(replicaRecoveryMs, faults.some(disturbsReplica)),
    }
  }
}

const NOT_MEASURED = { recoveryMs: null, replicaRecoveryMs: null } as const

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
