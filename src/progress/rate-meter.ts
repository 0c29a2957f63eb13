import type { Clock } from '../base/clock.ts'

const SLOT_MS = 100
const SLOTS = 100

/** How many bytes a second passed lately: the mean of the last ten seconds. */
export class RateMeter {
  readonly #clock: Clock
  readonly #slots = new Float64Array(SLOTS)
  readonly #beganMs: number
  #slot: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#beganMs = clock.monotonicMs()
    this.#slot = this.#now()
  }

  add(bytes: number): void {
    this.#turn()
    const at = this.#slot % SLOTS
    this.#slots[at] = (this.#slots[at] ?? 0) + bytes
  }

  /** Of the last `spanMs`, at most ten seconds, or since the start where that is less ago. */
  bytesPerSecond(spanMs: number = SLOT_MS * SLOTS): number {
    this.#turn()
    const nowMs = this.#clock.monotonicMs()
    const whole = Math.min(SLOTS - 1, Math.round(spanMs / SLOT_MS))
    let bytes = 0
    for (let back = 0; back <= whole; back += 1) {
      bytes += this.#slots[(this.#slot - back + SLOTS * 2) % SLOTS] ?? 0
    }
    const begunMs = Math.max(this.#beganMs, (this.#slot - whole) * SLOT_MS)
    return (bytes * 1000) / Math.max(SLOT_MS, nowMs - begunMs)
  }

  #now(): number {
    return Math.floor(this.#clock.monotonicMs() / SLOT_MS)
  }

  /** Empties the slots that lie between the last look and now. */
  #turn(): void {
    const now = this.#now()
    const passed = Math.min(SLOTS, now - this.#slot)
    for (let step = 1; step <= passed; step += 1) this.#slots[(this.#slot + step) % SLOTS] = 0
    this.#slot = now
  }
}
