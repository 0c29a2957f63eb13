/** Counts by slots of time, of which the last so many are kept. Times are of one clock. */
export class TimeSlots {
  readonly #slotMs: number
  readonly #counts: Float64Array
  /** Which slot of time each place holds. */
  readonly #numbers: Float64Array

  constructor(slotMs: number, slots: number) {
    this.#slotMs = slotMs
    this.#counts = new Float64Array(slots)
    this.#numbers = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY)
  }

  add(atMs: number, count: number): void {
    const number = Math.floor(atMs / this.#slotMs)
    const place = mod(number, this.#counts.length)
    const held = this.#numbers[place] ?? Number.NEGATIVE_INFINITY
    if (held > number) return
    const before = held === number ? (this.#counts[place] ?? 0) : 0
    this.#numbers[place] = number
    this.#counts[place] = before + count
  }

  /** What any span of so long held at most: null while nothing is kept. */
  atMost(spanMs: number, nowMs: number): number | null {
    const peak = this.peak(nowMs)
    return peak === 0 ? null : (Math.ceil(spanMs / this.#slotMs) + 1) * peak
  }

  /** Of the slots that began later. */
  sumSince(sinceMs: number): number {
    const oldest = Math.floor(sinceMs / this.#slotMs)
    return this.#counts.reduce(
      (sum, count, place) => ((this.#numbers[place] ?? 0) > oldest ? sum + count : sum),
      0,
    )
  }

  /** The fullest. */
  peak(nowMs: number): number {
    const oldest = Math.floor(nowMs / this.#slotMs) - this.#counts.length
    return this.#counts.reduce(
      (peak, count, place) => ((this.#numbers[place] ?? 0) > oldest ? Math.max(peak, count) : peak),
      0,
    )
  }
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}
