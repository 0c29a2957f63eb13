import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Clock } from '../base/clock.ts'
import { EventLoopDelay } from '../base/event-loop-delay.ts'
import { untilAborted } from '../base/until-aborted.ts'
import { type MetricSheet, seconds } from './metric-sheet.ts'

/** What the process of the gateway needs of its machine, and how long it kept others waiting. */
export class OwnProcess {
  readonly ground = [this]
  readonly #clock: Clock
  #delay: EventLoopDelay | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async run(signal: AbortSignal): Promise<void> {
    using measured = new EventLoopDelay(this.#clock)
    this.#delay = measured
    await untilAborted(signal)
    this.#delay = null
  }

  metrics(sheet: MetricSheet): void {
    const help = 'Longest turn of the event loop in the last one to two minutes'
    const longest = seconds(this.#delay?.maxMs() ?? null)
    sheet.gauge('landbridge_event_loop_delay_max_seconds', help, longest)
  }
}

let registry: Registry | null = null

/** The library looks at the event loop by a timer; every ten milliseconds, if it may. */
const NEVER_MS = 2 ** 31 - 1
const LAG_BY_TIMER = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const
/** Gauges that are named as counters are: sums of series that are there by type. */
const SUMS = ['resources', 'handles', 'requests'] as const

/** CPU, memory and file descriptors of this process, by their usual names. */
export function processMetrics(): Promise<string> {
  if (registry === null) {
    registry = new Registry()
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS })
    for (const what of LAG_BY_TIMER) {
      registry.removeSingleMetric(`nodejs_eventloop_lag_${what}_seconds`)
    }
    for (const what of SUMS) registry.removeSingleMetric(`nodejs_active_${what}_total`)
  }
  return registry.metrics()
}
