import assert from 'node:assert/strict'

export interface MarkRingOptions<Mark> {
  readonly limit?: number
  /** One mark for two neighbours: the time of the older, the place of the newer. */
  readonly merge: (older: Mark, newer: Mark) => Mark
}

/**
 * Marks ("at this time the place was that") in the order they were made, bounded in number. A full
 * ring merges neighbours in pairs, and from then on as many arrivals share one mark. A merged mark
 * is as old as its oldest part, so that a lag read from it is never too small; it is too large by
 * at most the time its parts span, which is under a hundredth of the whole at the default limit.
 */
export class MarkRing<Mark> {
  readonly #limit: number
  readonly #merge: (older: Mark, newer: Mark) => Mark
  #marks: Mark[] = []
  /** Arrivals that share a mark, and how many the newest mark holds so far. */
  #stride = 1
  #inNewest = 0

  constructor(options: MarkRingOptions<Mark>) {
    this.#limit = options.limit ?? 512
    this.#merge = options.merge
    assert(this.#limit >= 4)
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
    if (this.#marks.length >= this.#limit) this.#halve()
    this.#marks.push(mark)
    this.#inNewest = 1
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
