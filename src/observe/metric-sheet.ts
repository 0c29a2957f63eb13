import { Counter, Gauge, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string | number>>

/** Values that were counted by whoever measured them, with their number up to each bound. */
export interface CountedTimes {
  readonly count: number
  readonly sumMs: number
  /** Cumulative, in rising order. */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[]
}

interface Histogram {
  readonly help: string
  readonly series: { readonly labels: Labels; readonly times: CountedTimes }[]
}

interface Sheet {
  readonly registry: Registry
  readonly gauges: Map<string, Gauge>
  readonly counters: Map<string, Counter>
  readonly histograms: Map<string, Histogram>
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
    const registry = new Registry()
    const sheet = { registry, gauges: new Map(), counters: new Map(), histograms: new Map() }
    return new MetricSheet(sheet, '', {})
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

  /** A histogram in seconds of what was counted elsewhere. Labels as for `gauge`. */
  histogram(name: string, help: string, times: CountedTimes): void {
    const { histograms } = this.#sheet
    const whole = `${this.#prefix}${name}`
    const histogram = histograms.get(whole) ?? { help, series: [] }
    histograms.set(whole, histogram)
    histogram.series.push({ labels: this.#labels, times })
  }

  /** One series for each of `states`: 1 for the one that it is in. */
  state(name: string, help: string, now: string, states: readonly string[]): void {
    for (const state of states) this.gauge(name, help, Number(now === state), { state })
  }

  /** In the text format of Prometheus. */
  async text(): Promise<string> {
    const { registry, histograms } = this.#sheet
    const parts = [...histograms].map(([name, histogram]) => histogramText(name, histogram))
    return `${await registry.metrics()}${parts.join('')}`
  }
}

/** prom-client only has histograms that count by themselves. */
function histogramText(name: string, { help, series }: Histogram): string {
  const lines = series.flatMap(({ labels, times: { count, sumMs, buckets } }) => [
    ...buckets.map(({ upToMs, count: upTo }) => {
      return `${name}_bucket${labelText({ ...labels, le: upToMs / 1000 })} ${upTo}`
    }),
    `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${count}`,
    `${name}_sum${labelText(labels)} ${seconds(sumMs)}`,
    `${name}_count${labelText(labels)} ${count}`,
  ])
  return `\n${[`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines].join('\n')}\n`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const text = String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    return `${name}="${text.replaceAll('"', '\\"')}"`
  })
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** To the microsecond: a sixth decimal that division alone would not end at. */
export function seconds(ms: number): number
export function seconds(ms: number | null): number | null
export function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1_000_000
}
