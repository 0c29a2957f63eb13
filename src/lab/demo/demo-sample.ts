import type { LagStatus, StreamStatus } from '../../status/status.ts'
import type { SiteName } from '../lab-sites.ts'

/** What the demo shows at one moment. Null: not known, because nobody answered. */
export interface DemoSample {
  readonly elapsedSeconds: number
  /** Of all streams together, as are the two below. */
  readonly transactions: number
  readonly transactionsPerSecond: number
  readonly binlogBytes: number | null
  /** Received at the copies. */
  readonly tunnelBytes: number
  readonly copies: readonly CopySample[]
  readonly gateways: readonly GatewaySample[]
}

export interface CopySample {
  /** Empty where there is no other. */
  readonly label: string
  readonly receiveLag: Percentiles
  readonly applyLag: Percentiles
  readonly roundTripMs: number | null
  readonly replicaState: string
}

export interface GatewaySample {
  readonly site: SiteName
  readonly pid: number | null
  readonly running: boolean
  readonly answers: boolean
}

export interface Percentiles {
  readonly p50: number | null
  readonly p99: number | null
}

export function percentilesOf(lag: LagStatus | null | undefined): Percentiles {
  const recent = lag?.windows.day
  return { p50: recent?.p50Ms ?? null, p99: recent?.p99Ms ?? null }
}

/** Of several copies the greatest of each figure. */
export function worstOf(all: readonly Percentiles[]): Percentiles {
  const worst = (values: readonly (number | null)[]) => {
    const known = values.filter((value) => value !== null)
    return known.length === 0 ? null : Math.max(...known)
  }
  return { p50: worst(all.map(({ p50 }) => p50)), p99: worst(all.map(({ p99 }) => p99)) }
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

  add(stream: StreamStatus | null): void {
    const receive = percentilesOf(stream?.receiveLag)
    if (receive.p50 !== null) this.#receive = receive
    for (const replica of stream?.replicas ?? []) {
      const apply = percentilesOf(replica.applyLag)
      if (apply.p50 !== null) this.#apply = apply
    }
  }
}
