import { onlyLink } from '../../status/links.ts'
import { readBinlogBytes } from '../compare/binlog-bytes.ts'
import { isRunning } from '../hosts/lab-process.ts'
import { type PairStatus, readPair } from '../lab-gateways.ts'
import type { LabPaths } from '../lab-paths.ts'
import { type LabState, type ProcessName, readState } from '../lab-state.ts'
import type { Workload } from '../load/workload.ts'
import {
  type DemoSample,
  type GatewaySample,
  LagMemory,
  type Percentiles,
  RestartingCounter,
  streamOf,
} from './demo-sample.ts'

export interface DemoMonitorOptions {
  readonly paths: LabPaths
  readonly state: LabState
  readonly workload: Workload
}

/** Looks at everything once a second and remembers what must outlive a gateway's restart. */
export class DemoMonitor {
  readonly #options: DemoMonitorOptions
  readonly #startedMs = performance.now()
  readonly #tunnel = new RestartingCounter()
  readonly #lag = new LagMemory()
  #last = { atMs: performance.now(), transactions: 0 }

  constructor(options: DemoMonitorOptions) {
    this.#options = options
  }

  async sample(): Promise<DemoSample> {
    const { paths, state, workload } = this.#options
    const pair: PairStatus =
      state.gateways === null ? { production: null, dr: null } : await readPair(state.gateways)
    if (pair.dr !== null) {
      const { peers } = pair.dr.tunnel
      this.#tunnel.add(peers.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0))
    }
    this.#lag.add(pair)
    // Read anew: somebody may have started a gateway again.
    const now = (await readState(paths)) ?? state
    const { committed } = workload.status()
    const nowMs = performance.now()
    const perSecond =
      ((committed - this.#last.transactions) * 1_000) / Math.max(1, nowMs - this.#last.atMs)
    this.#last = { atMs: nowMs, transactions: committed }
    return {
      elapsedSeconds: (nowMs - this.#startedMs) / 1_000,
      transactions: committed,
      transactionsPerSecond: perSecond,
      binlogBytes: await readBinlogBytes(state.databases.source?.binlogDirectory ?? ''),
      tunnelBytes: this.#tunnel.total,
      receiveLag: this.#lag.receive,
      applyLag: this.#lag.apply,
      roundTripMs: onlyLink(pair.dr?.links ?? [])?.roundTripMs ?? null,
      replicaState: streamOf(pair.dr)?.replicas[0]?.state ?? 'unknown',
      production: gatewaySample(now, 'prod-gateway', pair.production !== null),
      dr: gatewaySample(now, 'dr-gateway', pair.dr !== null),
    }
  }

  totals(): {
    readonly tunnelBytes: number
    readonly receiveLagMs: Percentiles
    readonly applyLagMs: Percentiles
  } {
    return {
      tunnelBytes: this.#tunnel.total,
      receiveLagMs: this.#lag.receive,
      applyLagMs: this.#lag.apply,
    }
  }
}

function gatewaySample(state: LabState, name: ProcessName, answers: boolean): GatewaySample {
  const record = state.processes[name]
  return { pid: record?.pid ?? null, running: record !== undefined && isRunning(record), answers }
}
