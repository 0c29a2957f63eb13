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

  /** What any span of so long held at most. */
  atMost(spanMs: number, nowMs: number): number {
    return (Math.ceil(spanMs / this.#slotMs) + 1) * this.peak(nowMs)
  }

  /**
   * False when something began less than a whole slot before `atMs`: the fullest slot may be one
   * that is half empty, and what is coming is not known by it.
   */
  isSettled(atMs: number): boolean {
    const newest = Math.floor(atMs / this.#slotMs)
    const isBusy = this.#countOf(newest) > 0 || this.#countOf(newest - 1) > 0
    return !isBusy || this.#countOf(newest - 2) > 0
  }

  /** Of the slots that began later. */
  sumSince(sinceMs: number): number {
    const oldest = Math.floor(sinceMs / this.#slotMs)
    return this.#counts.reduce(
      (sum, count, place) => ((this.#numbers[place] ?? 0) > oldest ? sum + count : sum),
      0,
    )
  }

  #countOf(number: number): number {
    const place = mod(number, this.#counts.length)
    return this.#numbers[place] === number ? (this.#counts[place] ?? 0) : 0
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
