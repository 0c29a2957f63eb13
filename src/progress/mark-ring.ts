import assert from 'node:assert/strict'

export interface MarkRingOptions<Mark> {
  readonly limit?: number
  /** What one mark keeps, about. Default: nothing worth counting. */
  readonly bytesOf?: (mark: Mark) => number
  /** Default 8 MiB. At least four marks are kept all the same. */
  readonly bytesMax?: number
  /** One mark for two neighbours: the time of the older, the place of the newer. */
  readonly merge: (older: Mark, newer: Mark) => Mark
}

const COUNT_MIN = 4
const BYTES_MAX = 8 * 1024 * 1024

/**
 * Marks ("at this time the place was that") in the order they were made, bounded in number and
 * bytes. A full ring merges neighbours in pairs, and from then on as many arrivals share one mark.
 * A merged mark is as old as its oldest part, so that a lag read from it is never too small; it is
 * too large by at most the time its parts span, which is under a hundredth of the whole at the
 * default limit.
 */
export class MarkRing<Mark> {
  readonly #limit: number
  readonly #bytesOf: (mark: Mark) => number
  readonly #bytesMax: number
  readonly #merge: (older: Mark, newer: Mark) => Mark
  #marks: Mark[] = []
  /** Arrivals that share a mark, and how many the newest mark holds so far. */
  #stride = 1
  #inNewest = 0

  constructor(options: MarkRingOptions<Mark>) {
    this.#limit = options.limit ?? 512
    this.#bytesOf = options.bytesOf ?? (() => 0)
    this.#bytesMax = options.bytesMax ?? BYTES_MAX
    this.#merge = options.merge
    assert(this.#limit >= COUNT_MIN)
  }

  get length(): number {
    return this.#marks.length
  }

  get oldest(): Mark | undefined {
    return this.#marks[0]
  }

  get newest(): Mark | undefined {
    return this.#marks.at(-1)
  }

  push(mark: Mark): void {
    const newest = this.#marks.at(-1)
    if (newest !== undefined && this.#inNewest < this.#stride) {
      this.#marks[this.#marks.length - 1] = this.#merge(newest, mark)
      this.#inNewest += 1
      return
    }
    if (this.#isFull(mark)) this.#halve()
    this.#marks.push(mark)
    this.#inNewest = 1
  }

  /** Marks are about as large as each other: what they say grows slowly. */
  #isFull(mark: Mark): boolean {
    const count = this.#marks.length
    if (count >= this.#limit) return true
    return count >= COUNT_MIN && (count + 1) * this.#bytesOf(mark) > this.#bytesMax
  }

  dropOldest(): void {
    this.#marks.shift()
    if (this.#marks.length <= this.#limit / 4) this.#stride = Math.max(1, this.#stride / 2)
    if (this.#marks.length === 0) this.clear()
  }

  clear(): void {
    this.#marks = []
    this.#stride = 1
    this.#inNewest = 0
  }

  #halve(): void {
    const halved: Mark[] = []
    for (const [index, mark] of this.#marks.entries()) {
      const older = halved.at(-1)
      if (index % 2 === 1 && older !== undefined)
        halved[halved.length - 1] = this.#merge(older, mark)
      else halved.push(mark)
    }
    this.#marks = halved
    this.#stride *= 2
  }
}
