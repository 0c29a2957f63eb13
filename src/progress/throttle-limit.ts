import { LIMITERS, type ThrottleStatus } from '../status/status.ts'

/** One who holds a stream back: so much and no more. */
export interface ThrottleLimit {
  /** 0: nothing passes. */
  readonly bytesPerSecond: number
  readonly by: (typeof LIMITERS)[number]
  readonly reason: string
  readonly sinceMs: number | null
  /** When it ends by itself; null: it does not, or nobody knows. */
  readonly untilMs: number | null
}

/** The lowest wins; of equal ones the first in the order of LIMITERS. Null: nothing holds it. */
export function lowestLimit(limits: readonly ThrottleLimit[]): ThrottleLimit | null {
  const sorted = [...limits].sort(
    (a, b) =>
      a.bytesPerSecond - b.bytesPerSecond || LIMITERS.indexOf(a.by) - LIMITERS.indexOf(b.by),
  )
  return sorted[0] ?? null
}

/** The limit as the status shows it, with what was measured beside it. */
export function throttleStatus(
  limit: ThrottleLimit | null,
  measured: Pick<ThrottleStatus, 'measuredBytesPerSecond' | 'waitingBytes'>,
): ThrottleStatus {
  if (limit !== null) return { ...limit, ...measured }
  return {
    ...{ bytesPerSecond: null, by: null, reason: null, sinceMs: null, untilMs: null },
    ...measured,
  }
}
