import type { Clock } from '../base/clock.ts'
import type { DelayWindow, DelayWindows as DelayWindowsStatus } from '../status/status.ts'
import { Percentiles } from './percentiles.ts'

/** A window is as many slots; the newest one is being filled, so it covers a little less. */
const WINDOWS = {
  minute: { slotMs: 5_000, slots: 13 },
  quarterHour: { slotMs: 60_000, slots: 16 },
  day: { slotMs: 1_800_000, slots: 49 },
} as const
/** Of the day within 3 %: it needs forty-nine distributions. */
const COARSE = { bucketsPerDoubling: 16 } as const

/** Delays of single transactions in the last minute, quarter of an hour and day. */
export class DelayWindows {
  readonly #minute: Ring
  readonly #quarterHour: Ring
  readonly #day: Ring

  constructor(clock: Clock) {
    this.#minute = new Ring(clock, WINDOWS.minute, {})
    this.#quarterHour = new Ring(clock, WINDOWS.quarterHour, COARSE)
    this.#day = new Ring(clock, WINDOWS.day, COARSE)
  }

  /** Called for each transaction: allocates nothing. `nowMs`: of the monotonic clock. */
  record(delayMs: number, nowMs: number): void {
    this.#minute.record(delayMs, nowMs)
    this.#quarterHour.record(delayMs, nowMs)
    this.#day.record(delayMs, nowMs)
  }

  status(): DelayWindowsStatus {
    return {
      minute: this.#minute.window(),
      quarterHour: this.#quarterHour.window(),
      day: this.#day.window(),
    }
  }
}

class Ring {
  readonly #clock: Clock
  readonly #slotMs: number
  readonly #slots: Percentiles[]
  readonly #startedMs: number
  readonly #sum: Percentiles
  /** Number of the slot that is being filled. */
  #newest: number

  constructor(
    clock: Clock,
    { slotMs, slots }: { readonly slotMs: number; readonly slots: number },
    resolution: { readonly bucketsPerDoubling?: number },
  ) {
    this.#clock = clock
    this.#slotMs = slotMs
    this.#slots = Array.from({ length: slots }, () => new Percentiles(resolution))
    this.#sum = new Percentiles(resolution)
    this.#startedMs = clock.monotonicMs()
    this.#newest = Math.floor(this.#startedMs / slotMs)
  }

  record(delayMs: number, nowMs: number): void {
    this.#advance(nowMs)
    this.#slots[this.#newest % this.#slots.length]?.record(delayMs)
  }

  window(): DelayWindow | null {
    const nowMs = this.#clock.monotonicMs()
    this.#advance(nowMs)
    this.#sum.clear()
    for (const slot of this.#slots) this.#sum.add(slot)
    const summary = this.#sum.summary()
    if (summary === null) return null
    const sinceMs = Math.max(
      this.#startedMs,
      (this.#newest - this.#slots.length + 1) * this.#slotMs,
    )
    return { ...summary, coveredMs: nowMs - sinceMs }
  }

  /** Empties the slots whose time is over. */
  #advance(nowMs: number): void {
    const now = Math.floor(nowMs / this.#slotMs)
    const passed = Math.min(now - this.#newest, this.#slots.length)
    for (let back = 0; back < passed; back += 1) {
      this.#slots[(now - back) % this.#slots.length]?.clear()
    }
    this.#newest = Math.max(this.#newest, now)
  }
}
