import type { ExposureStatus } from '../status/status.ts'

/** What is measured; ages are milliseconds. */
export interface KnownExposure {
  /** Known to be missing; `ms` is 0 when nothing is. */
  readonly missing: {
    readonly bytes: number | null
    readonly transactions: number | null
    readonly ms: number
  }
  /** Everything that was committed longer ago is synced; null: not known. */
  readonly heldAgoMs: number | null
  /** Age of the newest word of where the source is. */
  readonly provenAgoMs: number
  /** So long nothing was committed, as far as known; 0 while something is missing. */
  readonly quietMs: number
  /** Transactions in a span of so long, at the densest that was measured; null: not known. */
  readonly committedIn: (spanMs: number) => number | null
}

/** A source is asked once a second. */
const ASKED_MS_MAX = 2_000
const QUIET_MS_MIN = 3_000

export const UNKNOWN_EXPOSURE: ExposureStatus = {
  atLeast: { ms: null, transactions: null, bytes: null },
  atMost: { ms: null, transactions: null },
  isIdle: false,
}

/**
 * What a loss of the origin now would cost. `isWatched`: the link and the source answer, so that a
 * commit would be heard of.
 */
export function exposureOf(known: KnownExposure | null, isWatched: boolean): ExposureStatus {
  if (known === null) return UNKNOWN_EXPOSURE
  const { missing, heldAgoMs, provenAgoMs, quietMs } = known
  const isQuiet = quietMs >= QUIET_MS_MIN && provenAgoMs <= ASKED_MS_MAX
  const isIdle = isWatched && isQuiet && heldAgoMs !== null && missing.ms === 0
  const { ms, transactions, bytes } = missing
  return {
    atLeast: { ms, transactions, bytes },
    atMost: { ms: heldAgoMs, transactions: isIdle ? 0 : transactionsAtMost(known) },
    isIdle,
  }
}

/**
 * Two bounds, of which the smaller counts: all that was committed since everything was held; and
 * what the source is known to have more, with all that it committed since it said so.
 */
function transactionsAtMost(exposure: KnownExposure): number | null {
  const { missing, heldAgoMs, provenAgoMs, committedIn } = exposure
  const since = heldAgoMs === null ? null : committedIn(heldAgoMs)
  const more = committedIn(provenAgoMs)
  const known = missing.transactions === null || more === null ? null : missing.transactions + more
  const bounds = [since, known].filter((bound) => bound !== null)
  return bounds.length === 0 ? null : Math.max(missing.transactions ?? 0, Math.min(...bounds))
}
