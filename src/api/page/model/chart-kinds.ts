import { byteRate, perSecond, shortBytes, shortDuration } from './format.ts'
import type { HistoryPoint, HistoryValue } from './history.ts'

export interface ChartLine {
  readonly value: HistoryValue
  readonly name: string
  readonly text: (value: number | null) => string
  /** Round numbers of this kind, for the axis. */
  readonly steps: readonly number[]
  /** Of its own scale, at the right. */
  readonly isRight?: true
}

export interface ChartKind {
  readonly key: string
  readonly title: string
  readonly lines: readonly ChartLine[]
  /** Instead of a chart, where there is no value at all. */
  readonly nothing: string
}

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000]
const DURATIONS: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((many) => many * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((many) => many * MINUTE),
  ...[1, 2, 6, 12].map((many) => many * HOUR),
  ...[1, 2, 5, 10, 30].map((many) => many * DAY),
]
/** Powers of two: 64 KiB, not 48.83 KiB. */
const BYTES: readonly number[] = Array.from({ length: 50 }, (_none, power) => 2 ** power)
const COUNTS: readonly number[] = Array.from({ length: 10 }, (_none, power) => 10 ** power).flatMap(
  (unit) => [unit, 2 * unit, 5 * unit],
)

export const CHART_KINDS: readonly ChartKind[] = [
  {
    key: 'exposure',
    title: 'Exposure: what a loss of the origin would have cost',
    nothing: 'Nothing is known of this time.',
    lines: [{ value: 'exposureMs', name: 'exposure', text: shortDuration, steps: DURATIONS }],
  },
  {
    key: 'lag',
    title: 'Lag',
    nothing: 'Nothing is known of this time.',
    lines: [
      { value: 'receiveLagMs', name: 'receive lag', text: shortDuration, steps: DURATIONS },
      { value: 'applyLagMs', name: 'apply lag', text: shortDuration, steps: DURATIONS },
    ],
  },
  {
    key: 'throughput',
    title: 'Throughput',
    nothing: 'Nothing is known of this time.',
    lines: [
      { value: 'bytesPerSecond', name: 'bytes', text: byteRate, steps: BYTES },
      {
        value: 'transactionsPerSecond',
        name: 'transactions',
        text: perSecond,
        steps: COUNTS,
        isRight: true,
      },
    ],
  },
  {
    key: 'round-trip',
    title: 'Round trip of the link',
    nothing: 'Nothing is known of this time.',
    lines: [{ value: 'roundTripMs', name: 'round trip', text: shortDuration, steps: DURATIONS }],
  },
  {
    key: 'throttle',
    title: 'Throttle',
    nothing: 'No limit was set in this time.',
    lines: [
      { value: 'throttleBytesPerSecond', name: 'limit', text: byteRate, steps: BYTES },
      { value: 'waitingBytes', name: 'waiting', text: shortBytes, steps: BYTES, isRight: true },
    ],
  },
]

export interface Extent {
  readonly now: number | null
  readonly highest: number | null
  readonly highestAtMs: number | null
}

/** What a chart says in words. */
export function extentOf(points: readonly HistoryPoint[], value: HistoryValue): Extent {
  let highest: number | null = null
  let highestAtMs: number | null = null
  for (const point of points) {
    const one = point[value]
    if (one === null || (highest !== null && one <= highest)) continue
    highest = one
    highestAtMs = point.atMs
  }
  return { now: points.at(-1)?.[value] ?? null, highest, highestAtMs }
}

/** At most `rows` of them, from the newest back, at even distances. */
export function sampled(points: readonly HistoryPoint[], rows: number): HistoryPoint[] {
  const step = Math.max(1, Math.ceil(points.length / rows))
  return points.filter((_point, index) => (points.length - 1 - index) % step === 0).reverse()
}
