import type { GatewayStatus, LagStatus, StreamStatus } from '../../status/status.ts'
import type { PairStatus } from '../lab-gateways.ts'

/** What the demo shows at one moment. Null: not known, because nobody answered. */
export interface DemoSample {
  readonly elapsedSeconds: number
  readonly transactions: number
  readonly transactionsPerSecond: number
  readonly binlogBytes: number | null
  readonly tunnelBytes: number
  readonly receiveLag: Percentiles
  readonly applyLag: Percentiles
  readonly roundTripMs: number | null
  readonly replicaState: string
  readonly production: GatewaySample
  readonly dr: GatewaySample
}

export interface GatewaySample {
  readonly pid: number | null
  readonly running: boolean
  readonly answers: boolean
}

export interface Percentiles {
  readonly p50: number | null
  readonly p99: number | null
}

export function percentilesOf(lag: LagStatus | null | undefined): Percentiles {
  const recent = lag?.recent
  return { p50: recent?.p50Ms ?? null, p99: recent?.p99Ms ?? null }
}

export function streamOf(status: GatewayStatus | null): StreamStatus | null {
  return status?.streams[0] ?? null
}

/**
 * Sums up a counter that starts at 0 again whenever a gateway does, such as the bytes of a tunnel.
 */
export class RestartingCounter {
  #before = 0
  #last = 0

  get total(): number {
    return this.#before + this.#last
  }

  add(value: number): void {
    if (value < this.#last) this.#before += this.#last
    this.#last = value
  }
}

/** Keeps the last figures of each kind, so that a gateway that ends does not take them along. */
export class LagMemory {
  #receive: Percentiles = { p50: null, p99: null }
  #apply: Percentiles = { p50: null, p99: null }

  get receive(): Percentiles {
    return this.#receive
  }

  get apply(): Percentiles {
    return this.#apply
  }

  add({ dr }: PairStatus): void {
    const stream = streamOf(dr)
    const receive = percentilesOf(stream?.receiveLag)
    if (receive.p50 !== null) this.#receive = receive
    for (const replica of stream?.replicas ?? []) {
      const apply = percentilesOf(replica.applyLag)
      if (apply.p50 !== null) this.#apply = apply
    }
  }
}
