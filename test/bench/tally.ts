import { GIGABYTE, MEGABYTE, median, type Row, round } from './report.ts'

export type Measured = 'rival' | 'rivalSynced' | 'read' | 'receive' | 'endToEnd'

export interface Turn {
  readonly seconds: number
  readonly coresBusy: number
  /** The most that each process had resident. */
  readonly rssBytes?: Readonly<Record<string, number>>
  /** What each process took of a processor. */
  readonly cpuSeconds: Readonly<Record<string, number>>
}

/** What every turn measured, and the rows that this makes. */
export class Tally {
  readonly #bytes: number
  readonly #seconds = new Map<Measured, number[]>()
  readonly #coresBusy = new Map<Measured, number[]>()
  readonly #cpuSeconds = new Map<Measured, Readonly<Record<string, number>>[]>()
  readonly #peaks = new Map<Measured, Record<string, number>>()

  /** `bytes`: what each turn moves. */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  add(name: Measured, turn: Turn): void {
    this.#seconds.set(name, [...this.of(name), turn.seconds])
    this.#coresBusy.set(name, [...(this.#coresBusy.get(name) ?? []), turn.coresBusy])
    this.#cpuSeconds.set(name, [...(this.#cpuSeconds.get(name) ?? []), turn.cpuSeconds])
    const peaks = this.#peaks.get(name) ?? {}
    for (const [who, bytes] of Object.entries(turn.rssBytes ?? {})) {
      peaks[who] = Math.max(peaks[who] ?? 0, Math.round(bytes / MEGABYTE))
    }
    this.#peaks.set(name, peaks)
  }

  of(name: Measured): readonly number[] {
    return this.#seconds.get(name) ?? []
  }

  /** Seconds of the latest turn, as text. */
  latest(name: Measured): string {
    return `${(this.of(name).at(-1) ?? 0).toFixed(2)} s`
  }

  row(name: Measured, title: string): Row {
    const seconds = this.of(name)
    return {
      name: title,
      megabytesPerSecond: round(this.#bytes / MEGABYTE / median(seconds), 1),
      ratio: round(median(this.of('rival')) / median(seconds), 2),
      seconds: seconds.map((one) => round(one, 3)),
      coresBusy: round(median(this.#coresBusy.get(name) ?? []), 2),
      peakRssMegabytes: this.#peaks.get(name) ?? {},
      cpuSecondsPerGigabyte: this.#cpuPerGigabyte(name),
    }
  }

  #cpuPerGigabyte(name: Measured): Record<string, number> {
    const turns = this.#cpuSeconds.get(name) ?? []
    const gigabytes = this.#bytes / GIGABYTE
    const processes = Object.keys(turns[0] ?? {})
    return Object.fromEntries(
      processes.map((who) => {
        const seconds = median(turns.map((turn) => turn[who] ?? 0))
        return [who, round(seconds / gigabytes, 2)]
      }),
    )
  }
}
