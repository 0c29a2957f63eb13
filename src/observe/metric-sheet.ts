import { Counter, Gauge, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string | number>>

interface Sheet {
  readonly registry: Registry
  readonly gauges: Map<string, Gauge>
  readonly counters: Map<string, Counter>
}

/**
 * The metrics of one scrape, filled anew each time, so that a replica or a problem that is gone
 * leaves no series behind. A value that is not known has no series: an alert sees it as absent,
 * never as 0.
 */
export class MetricSheet {
  readonly #sheet: Sheet
  readonly #prefix: string
  readonly #labels: Labels

  private constructor(sheet: Sheet, prefix: string, labels: Labels) {
    this.#sheet = sheet
    this.#prefix = prefix
    this.#labels = labels
  }

  static empty(): MetricSheet {
    return new MetricSheet(
      { registry: new Registry(), gauges: new Map(), counters: new Map() },
      '',
      {},
    )
  }

  /** The same sheet, for series whose names begin with `prefix` and that have these labels. */
  of(prefix: string, labels: Labels = {}): MetricSheet {
    return new MetricSheet(this.#sheet, `${this.#prefix}${prefix}`, { ...this.#labels, ...labels })
  }

  /** All calls for one name have labels of the same names. */
  gauge(name: string, help: string, value: number | null, own: Labels = {}): void {
    if (value === null) return
    const { registry, gauges } = this.#sheet
    const labels = { ...this.#labels, ...own }
    const options = { name: `${this.#prefix}${name}`, help, registers: [registry] }
    let gauge = gauges.get(options.name)
    if (gauge === undefined) {
      gauge = new Gauge({ ...options, labelNames: Object.keys(labels) })
      gauges.set(options.name, gauge)
    }
    gauge.set(labels, value)
  }

  /** As `gauge`, for what only grows while the gateway runs. */
  counter(name: string, help: string, value: number, own: Labels = {}): void {
    const { registry, counters } = this.#sheet
    const labels = { ...this.#labels, ...own }
    const options = { name: `${this.#prefix}${name}`, help, registers: [registry] }
    let counter = counters.get(options.name)
    if (counter === undefined) {
      counter = new Counter({ ...options, labelNames: Object.keys(labels) })
      counters.set(options.name, counter)
    }
    counter.inc(labels, value)
  }

  /** One series for each of `states`: 1 for the one that it is in. */
  state(name: string, help: string, now: string, states: readonly string[]): void {
    for (const state of states) this.gauge(name, help, Number(now === state), { state })
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#sheet.registry.metrics()
  }
}

/** To the microsecond: a sixth decimal that division alone would not end at. */
export function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1_000_000
}
