import type { Alert } from './alert.ts'
import type { ToldAlert } from './webhook-payload.ts'

export interface AlertBookOptions {
  readonly holdOffMs: number
  readonly repeatMs: number
  /** Told as firing before a restart. */
  readonly saved: readonly Alert[]
}

/** What is to be told now. */
export interface AlertMessage {
  /** All that fire, and those that are over and were told as firing. */
  readonly alerts: readonly ToldAlert[]
  readonly truncated: number
}

/** In one message; the rest is counted. */
const ALERTS_MAX = 100
/** After a start nothing is connected yet, and problems of before have not been found again. */
const SETTLE_MS = 30_000

interface Entry {
  alert: Alert
  /** Since when it is there, or is gone. */
  readonly seenMs: number
  goneMs: number | null
  /** When it was told as firing; null: it was not, or before the restart. */
  toldMs: number | null
  /** Somebody was told that it fires, perhaps before a restart. */
  isKnown: boolean
}

/**
 * Which alerts fire, and what of it has been told. Pure: it is given alerts and times. A problem
 * of a moment is never told; of each that was told, its end is told as well, also when the gateway
 * was restarted in between. Bounded: what was not told yet is told as it is when it can be, not as
 * a queue of what it was meanwhile.
 */
export class AlertBook {
  readonly #options: AlertBookOptions
  readonly #entries = new Map<string, Entry>()
  #firstMs: number | null = null

  constructor(options: AlertBookOptions) {
    this.#options = options
  }

  /** `alerts`: those of the status of now. */
  look(alerts: readonly Alert[], nowMs: number): void {
    if (this.#firstMs === null) {
      this.#firstMs = nowMs
      for (const alert of this.#options.saved) this.#recall(alert, nowMs)
    }
    for (const alert of alerts) this.#found(alert, nowMs)
    const there = new Set(alerts.map(({ fingerprint }) => fingerprint))
    for (const [fingerprint, entry] of this.#entries) {
      if (there.has(fingerprint)) continue
      entry.goneMs ??= nowMs
      // Nobody knows of it, and nobody needs to.
      if (!entry.isKnown) this.#entries.delete(fingerprint)
    }
  }

  /** Null: nobody has to be told anything now. */
  due(nowMs: number): AlertMessage | null {
    const firing = [...this.#entries.values()].filter((entry) => this.#fires(entry, nowMs))
    const over = [...this.#entries.values()].filter((entry) => this.#isOver(entry, nowMs))
    const { repeatMs } = this.#options
    const isNews = ({ toldMs }: Entry) => toldMs === null || nowMs - toldMs >= repeatMs
    const news = firing.filter(isNews)
    if (news.length === 0 && over.length === 0) return null
    // News first: what has no place in this message has one in the next.
    const told = [
      ...over.map(({ alert, goneMs }) => ({ ...alert, endsAtMs: goneMs })),
      ...[...news, ...firing.filter((entry) => !isNews(entry))].map(({ alert }) => {
        return { ...alert, endsAtMs: null }
      }),
    ]
    return { alerts: told.slice(0, ALERTS_MAX), truncated: Math.max(0, told.length - ALERTS_MAX) }
  }

  /** `message` has arrived. */
  told({ alerts }: AlertMessage, nowMs: number): void {
    for (const { fingerprint, endsAtMs } of alerts) {
      const entry = this.#entries.get(fingerprint)
      if (entry === undefined) continue
      if (endsAtMs !== null && entry.goneMs !== null) this.#entries.delete(fingerprint)
      else if (endsAtMs === null) {
        entry.toldMs = nowMs
        entry.isKnown = true
      }
    }
  }

  /** Those that somebody was told of and that may be over at the next start. */
  known(): readonly Alert[] {
    return [...this.#entries.values()].filter(({ isKnown }) => isKnown).map(({ alert }) => alert)
  }

  /** How many fire; and of how many somebody is still to be told something. */
  counts(nowMs: number): { readonly firing: number; readonly waiting: number } {
    const entries = [...this.#entries.values()]
    const firing = entries.filter((entry) => this.#fires(entry, nowMs))
    const untold = firing.filter(({ toldMs }) => toldMs === null)
    const over = entries.filter((entry) => this.#isOver(entry, nowMs))
    return { firing: firing.length, waiting: untold.length + over.length }
  }

  #recall(alert: Alert, nowMs: number): void {
    const entry = { alert, seenMs: nowMs, goneMs: nowMs, toldMs: null, isKnown: true }
    this.#entries.set(alert.fingerprint, entry)
  }

  #found(alert: Alert, nowMs: number): void {
    const entry = this.#entries.get(alert.fingerprint)
    if (entry === undefined) {
      const fresh = { alert, seenMs: nowMs, goneMs: null, toldMs: null, isKnown: false }
      this.#entries.set(alert.fingerprint, fresh)
      return
    }
    // It is one alert from its first beginning to its end, whatever the words are meanwhile.
    const { startsAtMs } = entry.alert
    entry.alert = { ...alert, startsAtMs: Math.min(startsAtMs, alert.startsAtMs) }
    entry.goneMs = null
  }

  #fires({ seenMs, goneMs, isKnown }: Entry, nowMs: number): boolean {
    if (goneMs !== null) return false
    return isKnown || nowMs - seenMs >= this.#options.holdOffMs
  }

  #isOver({ goneMs, isKnown }: Entry, nowMs: number): boolean {
    if (goneMs === null || !isKnown) return false
    const settledMs = (this.#firstMs ?? nowMs) + SETTLE_MS
    return nowMs >= settledMs && nowMs - goneMs >= this.#options.holdOffMs
  }
}
