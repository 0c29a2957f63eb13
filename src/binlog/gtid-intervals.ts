/**
 * The numbers held of one (uuid, tag): sorted, disjoint, never touching inclusive intervals.
 * Bigint, because a person may set a GTID beyond 2^53 with `SET gtid_next`.
 */
export class GtidIntervals {
  #firsts: bigint[] = []
  #lasts: bigint[] = []

  get length(): number {
    return this.#firsts.length
  }

  *[Symbol.iterator](): Generator<readonly [first: bigint, last: bigint]> {
    for (const [index, first] of this.#firsts.entries()) yield [first, this.#last(index)]
  }

  /** Index of the first interval whose last number is >= `number`. */
  #search(number: bigint): number {
    let low = 0
    let high = this.#lasts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#last(middle) < number) low = middle + 1
      else high = middle
    }
    return low
  }

  #first(index: number): bigint {
    return this.#firsts[index] as bigint
  }

  #last(index: number): bigint {
    return this.#lasts[index] as bigint
  }

  has(number: bigint): boolean {
    const index = this.#search(number)
    return index < this.length && this.#first(index) <= number
  }

  containsRange(first: bigint, last: bigint): boolean {
    const index = this.#search(first)
    return index < this.length && this.#first(index) <= first && this.#last(index) >= last
  }

  /** O(1) where the range continues the last interval: the case of a running stream. */
  add(first: bigint, last: bigint): void {
    const end = this.length - 1
    if (end < 0 || first > this.#last(end) + 1n) {
      this.#firsts.push(first)
      this.#lasts.push(last)
      return
    }
    if (first === this.#last(end) + 1n) {
      this.#lasts[end] = last
      return
    }
    this.#merge(first, last)
  }

  #merge(first: bigint, last: bigint): void {
    // A neighbour that only touches is joined too, hence the search for first - 1.
    const from = this.#search(first - 1n)
    let to = from
    let low = first
    let high = last
    while (to < this.length && this.#first(to) <= last + 1n) {
      if (this.#first(to) < low) low = this.#first(to)
      if (this.#last(to) > high) high = this.#last(to)
      to += 1
    }
    this.#firsts.splice(from, to - from, low)
    this.#lasts.splice(from, to - from, high)
  }

  remove(first: bigint, last: bigint): void {
    const from = this.#search(first)
    let to = from
    const firsts: bigint[] = []
    const lasts: bigint[] = []
    while (to < this.length && this.#first(to) <= last) {
      if (this.#first(to) < first) {
        firsts.push(this.#first(to))
        lasts.push(first - 1n)
      }
      if (this.#last(to) > last) {
        firsts.push(last + 1n)
        lasts.push(this.#last(to))
      }
      to += 1
    }
    this.#firsts.splice(from, to - from, ...firsts)
    this.#lasts.splice(from, to - from, ...lasts)
  }

  /** Time in proportion to both lengths: one by one, each would move all that is behind it. */
  addAll(other: GtidIntervals): void {
    const merged = new GtidIntervals()
    let [at, otherAt] = [0, 0]
    while (at < this.length || otherAt < other.length) {
      const isOurs =
        otherAt === other.length || (at < this.length && this.#first(at) <= other.#first(otherAt))
      // In the order of their beginnings each continues the last one, or comes behind it.
      if (isOurs) merged.add(this.#first(at), this.#last(at++))
      else merged.add(other.#first(otherAt), other.#last(otherAt++))
    }
    this.#take(merged)
  }

  /** The same for taking away. */
  removeAll(other: GtidIntervals): void {
    const rest = new GtidIntervals()
    let otherAt = 0
    for (let at = 0; at < this.length; at += 1) {
      let first = this.#first(at)
      const last = this.#last(at)
      while (otherAt < other.length && other.#last(otherAt) < first) otherAt += 1
      // One of theirs may go on into the next of ours: it is not passed here.
      for (let next = otherAt; next < other.length && other.#first(next) <= last; next += 1) {
        if (other.#first(next) > first) rest.add(first, other.#first(next) - 1n)
        first = other.#last(next) + 1n
        otherAt = next
      }
      if (first <= last) rest.add(first, last)
    }
    this.#take(rest)
  }

  #take(other: GtidIntervals): void {
    this.#firsts = other.#firsts
    this.#lasts = other.#lasts
  }

  count(): bigint {
    let sum = 0n
    for (const [first, last] of this) sum += last - first + 1n
    return sum
  }

  clone(): GtidIntervals {
    const copy = new GtidIntervals()
    copy.#firsts = [...this.#firsts]
    copy.#lasts = [...this.#lasts]
    return copy
  }

  /** As the server prints it: `1-5:7`. */
  toString(): string {
    const parts: string[] = []
    for (const [first, last] of this) parts.push(first === last ? `${first}` : `${first}-${last}`)
    return parts.join(':')
  }
}
