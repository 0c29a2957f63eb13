/** A seeded generator (mulberry32): the same seed makes the same run. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let value = this.#state
    value = Math.imul(value ^ (value >>> 15), value | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return (value ^ (value >>> 14)) >>> 0
  }

  /** From 0 to before `end`, which is at least 1. */
  below(end: number): number {
    return Math.floor((this.u32() / 2 ** 32) * end)
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0
  }

  /** Small numbers more often than large ones, up to `max`. */
  skewed(max: number): number {
    return this.below(1 + this.below(1 + max))
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}
