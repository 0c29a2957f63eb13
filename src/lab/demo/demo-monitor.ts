import { linksOfStream } from '../../status/links.ts'
import { readBinlogBytes } from '../compare/binlog-bytes.ts'
import { isRunning } from '../hosts/lab-process.ts'
import type { LabPaths } from '../lab-paths.ts'
import { readSites, type SiteStatus, statusAt, streamAt } from '../lab-readiness.ts'
import { copiesOf, copyLabel, gatewayName, type LabCopy } from '../lab-shape.ts'
import type { SiteName } from '../lab-sites.ts'
import { type LabState, readState, sourceOf } from '../lab-state.ts'
import {
  type CopySample,
  type DemoSample,
  type GatewaySample,
  LagMemory,
  type Percentiles,
  RestartingCounter,
} from './demo-sample.ts'

export interface DemoMonitorOptions {
  readonly paths: LabPaths
  readonly state: LabState
  /** Transactions committed so far, of all streams. */
  readonly committed: () => number
}

interface WatchedCopy {
  readonly copy: LabCopy
  readonly lag: LagMemory
}

/** Looks at everything once a second and remembers what must outlive a gateway's restart. */
export class DemoMonitor {
  readonly #options: DemoMonitorOptions
  readonly #startedMs = performance.now()
  readonly #copies: readonly WatchedCopy[]
  /** By site that has a copy. */
  readonly #tunnels: ReadonlyMap<SiteName, RestartingCounter>
  #last = { atMs: performance.now(), transactions: 0 }

  constructor(options: DemoMonitorOptions) {
    this.#options = options
    const copies = copiesOf(options.state)
    this.#copies = copies.map((copy) => ({ copy, lag: new LagMemory() }))
    this.#tunnels = new Map(copies.map(({ site }) => [site, new RestartingCounter()]))
  }

  async sample(): Promise<DemoSample> {
    const { paths, state, committed } = this.#options
    const sites = await readSites(state.gateways)
    for (const [site, counter] of this.#tunnels) {
      const peers = statusAt(sites, site)?.tunnel.peers
      if (peers !== undefined) {
        counter.add(peers.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0))
      }
    }
    for (const { copy, lag } of this.#copies) lag.add(streamAt(sites, copy))
    // Read anew: somebody may have started a gateway again.
    const now = (await readState(paths)) ?? state
    const transactions = committed()
    const nowMs = performance.now()
    const perSecond =
      ((transactions - this.#last.transactions) * 1_000) / Math.max(1, nowMs - this.#last.atMs)
    this.#last = { atMs: nowMs, transactions }
    return {
      elapsedSeconds: (nowMs - this.#startedMs) / 1_000,
      transactions,
      transactionsPerSecond: perSecond,
      binlogBytes: await binlogBytesOf(state),
      tunnelBytes: this.tunnelBytes,
      copies: this.#copies.map((watched) => this.#copySample(watched, sites)),
      gateways: sites.map((site) => gatewaySample(now, site)),
    }
  }

  get tunnelBytes(): number {
    return [...this.#tunnels.values()].reduce((sum, { total }) => sum + total, 0)
  }

  lagOf({ stream, site }: LabCopy): {
    readonly receiveLagMs: Percentiles
    readonly applyLagMs: Percentiles
  } {
    const watched = this.#copies.find(({ copy }) => copy.stream === stream && copy.site === site)
    if (watched === undefined) throw new TypeError(`${site} is no copy of ${stream}`)
    return { receiveLagMs: watched.lag.receive, applyLagMs: watched.lag.apply }
  }

  #copySample({ copy, lag }: WatchedCopy, sites: readonly SiteStatus[]): CopySample {
    const links = statusAt(sites, copy.site)?.links ?? []
    return {
      label: copyLabel(this.#options.state, copy),
      receiveLag: lag.receive,
      applyLag: lag.apply,
      roundTripMs: linksOfStream(links, { name: copy.stream })[0]?.roundTripMs ?? null,
      replicaState: streamAt(sites, copy)?.replicas[0]?.state ?? 'unknown',
    }
  }
}

export async function binlogBytesOf(state: LabState): Promise<number | null> {
  const all = await Promise.all(
    state.streams.map(({ name }) => readBinlogBytes(sourceOf(state, name).binlogDirectory)),
  )
  return all.includes(null) ? null : all.reduce((sum: number, bytes) => sum + (bytes ?? 0), 0)
}

function gatewaySample(state: LabState, { site, status }: SiteStatus): GatewaySample {
  const record = state.processes[gatewayName(site)]
  const running = record !== undefined && isRunning(record)
  return { site, pid: record?.pid ?? null, running, answers: status !== null }
}
