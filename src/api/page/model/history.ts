import type { ViewMessage } from '../protocol.ts'
import type { ThrottleShown } from './flow.ts'
import { isOld, streamsOf } from './streams.ts'

/** The values of one step of the operation `lag.history`; null: not known. */
export interface HistoryPoint {
  readonly atMs: number
  readonly exposureMs: number | null
  readonly receiveLagMs: number | null
  readonly applyLagMs: number | null
  readonly transactionsPerSecond: number | null
  readonly bytesPerSecond: number | null
  readonly roundTripMs: number | null
  readonly throttleBytesPerSecond: number | null
  readonly waitingBytes: number | null
}

export type HistoryValue = Exclude<keyof HistoryPoint, 'atMs'>

const VALUES = [
  'exposureMs',
  'receiveLagMs',
  'applyLagMs',
  'transactionsPerSecond',
  'bytesPerSecond',
  'roundTripMs',
  'throttleBytesPerSecond',
  'waitingBytes',
] as const satisfies readonly HistoryValue[]

export const RANGES = {
  '15 min': 15 * 60_000,
  '24 h': 24 * 3_600_000,
  '90 d': 90 * 86_400_000,
} as const
export type Range = keyof typeof RANGES

/** Two a pixel would be for nothing, and an answer has to fit through the link. */
export const POINTS = 450

/** One line of what is charted: a stream as one copy has it. */
export interface Charted {
  readonly key: string
  readonly stream: string
  /** Gateways whose histories make it: the copy's first, then the origin's. */
  readonly gateways: readonly string[]
}

export function chartedOf(view: ViewMessage): Charted[] {
  return streamsOf(view).flatMap(({ name, origin, copies }) =>
    copies.map(({ gateway }) => {
      const other = origin?.side.gateway
      const gateways = other === undefined || other === gateway ? [gateway] : [gateway, other]
      return { key: `${name} at ${gateway}`, stream: name, gateways }
    }),
  )
}

/** A clock that is further off than this is put right; less is the time of an answer. */
const CLOCK_MS = 2_000

/**
 * Null for an answer that is not what `lag.history` says. `atMs`: when it was asked for, by the
 * clock of the gateway that serves the page, which all points have in the end.
 */
export function historyIn(
  answer: unknown,
  atMs: number,
): { readonly stepMs: number; readonly points: HistoryPoint[] } | null {
  const given = (answer ?? {}) as Readonly<Record<string, unknown>>
  const { stepMs, points, nowMs } = given
  if (typeof stepMs !== 'number' || !(stepMs > 0) || !Array.isArray(points)) return null
  const offMs = typeof nowMs === 'number' ? atMs - nowMs : 0
  const shiftMs = Math.abs(offMs) > CLOCK_MS ? offMs : 0
  const all = points.flatMap((one) => pointIn(one))
  return { stepMs, points: all.map((point) => ({ ...point, atMs: point.atMs + shiftMs })) }
}

function pointIn(raw: unknown): HistoryPoint[] {
  const given = (raw ?? {}) as Readonly<Record<string, unknown>>
  if (typeof given.atMs !== 'number') return []
  const values = VALUES.map((name) => [name, finite(given[name])])
  return [{ atMs: given.atMs, ...Object.fromEntries(values) } as HistoryPoint]
}

function finite(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/**
 * What several gateways know of one stream, step by step. Of each value that of the first one that
 * has it: a copy knows the lag, the origin the throttle.
 */
export function mergedPoints(
  all: readonly (readonly HistoryPoint[])[],
  stepMs: number,
): HistoryPoint[] {
  const steps = new Map<number, HistoryPoint>()
  for (const points of all) {
    for (const point of points) {
      const step = Math.floor(point.atMs / stepMs)
      const known = steps.get(step)
      steps.set(step, known === undefined ? point : filled(known, point))
    }
  }
  return [...steps.values()].sort((a, b) => a.atMs - b.atMs)
}

function filled(known: HistoryPoint, other: HistoryPoint): HistoryPoint {
  const values = VALUES.map((name) => [name, known[name] ?? other[name]])
  return { atMs: known.atMs, ...Object.fromEntries(values) } as HistoryPoint
}

/**
 * The newest point, from what the page is told every second, as gateway/lag-records.ts has it.
 * Null: its copy cannot be heard.
 */
export function pointOf(
  view: ViewMessage,
  { stream: name, gateways }: Charted,
): HistoryPoint | null {
  const stream = streamsOf(view).find((one) => one.name === name)
  const copy = stream?.copies.find(({ gateway }) => gateway === gateways[0])
  if (stream === undefined || copy?.at == null || isOld(copy.at.side)) return null
  const { exposure, receiveLag, rates, replicas } = copy.at.stream
  const links = copy.at.side.status?.links ?? []
  const receiving = links.find((link) => link.role === 'receiver' && link.carries.includes(name))
  const throttle: ThrottleShown | undefined = stream.origin?.stream.throttle
  const applied = replicas.flatMap(({ applyLag }) => applyLag?.ms ?? [])
  return {
    atMs: view.atMs,
    exposureMs: exposure?.isIdle === true ? 0 : (exposure?.atMost.ms ?? null),
    receiveLagMs: receiveLag?.ms ?? null,
    applyLagMs: applied.length === 0 ? null : Math.max(...applied),
    transactionsPerSecond: rates?.transactionsPerSecond ?? null,
    bytesPerSecond: rates?.bytesPerSecond ?? null,
    roundTripMs: receiving?.roundTripMs ?? null,
    throttleBytesPerSecond: throttle?.bytesPerSecond ?? null,
    waitingBytes: throttle?.waitingBytes ?? null,
  }
}

/** With `point` at the end, and without what is older than the range. */
export function withPoint(
  points: readonly HistoryPoint[],
  point: HistoryPoint,
  rangeMs: number,
): HistoryPoint[] {
  const last = points.at(-1)
  if (last !== undefined && point.atMs <= last.atMs) return [...points]
  return [...points.filter(({ atMs }) => atMs > point.atMs - rangeMs), point]
}

/**
 * Where nothing was written for some steps, the line is broken: `null` in between, or a chart would
 * draw a straight line over the time when the gateway did not run.
 */
export function withGaps(points: readonly HistoryPoint[], stepMs: number): HistoryPoint[] {
  return points.flatMap((point, index) => {
    const before = points[index - 1]
    if (before === undefined || point.atMs - before.atMs < 3.5 * stepMs) return [point]
    const values = VALUES.map((name) => [name, null])
    const gap = { atMs: before.atMs + stepMs, ...Object.fromEntries(values) } as HistoryPoint
    return [gap, point]
  })
}
