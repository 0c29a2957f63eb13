import type { Clock } from '../base/clock.ts'

interface Point {
  readonly atMs: number
  readonly missing: number
}

const WINDOW_MS = 30_000
const POINT_EVERY_MS = 1_000
/** Before that nobody can say how it goes. */
const SPAN_MS_MIN = 3_000
/** A year. */
const LONGEST_MS = 365 * 86_400_000

/** How long until nothing is missing, at the speed of the last half minute. */
export class CatchUp {
  readonly #clock: Clock
  #points: Point[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Called now and then with what is missing, in bytes or transactions; null: not known. */
  note(missing: number | null): void {
    const atMs = this.#clock.monotonicMs()
    if (!missing) {
      this.#points = []
      return
    }
    const last = this.#points.at(-1)
    if (last !== undefined && atMs - last.atMs < POINT_EVERY_MS) return
    this.#points = this.#points.filter((point) => atMs - point.atMs <= WINDOW_MS)
    this.#points.push({ atMs, missing })
  }

  /** Null when it is not behind, does not come nearer, or is not known yet. */
  leftMs(): number | null {
    const [first] = this.#points
    const last = this.#points.at(-1)
    if (first === undefined || last === undefined) return null
    const spanMs = last.atMs - first.atMs
    const gained = first.missing - last.missing
    if (spanMs < SPAN_MS_MIN || gained <= 0) return null
    const passedMs = this.#clock.monotonicMs() - last.atMs
    const leftMs = (last.missing / gained) * spanMs - passedMs
    return Math.min(LONGEST_MS, Math.max(0, Math.round(leftMs)))
  }
}
