/** 64 buckets for each doubling: a bucket's middle is at most 1/128 (0.8 %) off. */
const BUCKETS_PER_DOUBLING = 64
const LINEAR_BITS = 7
const DOUBLINGS = 40
const BUCKETS = BUCKETS_PER_DOUBLING * (DOUBLINGS + 2)
/** Four years in microseconds. Longer delays count as this. */
const MICROSECONDS_MAX = 2 ** (LINEAR_BITS + DOUBLINGS) - 1

/**
 * Distribution of delays in 21 KB whatever their number: buckets of one microsecond up to 128, then
 * 64 for each doubling. `record` allocates nothing. The maximum is exact.
 */
export class Percentiles {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #maxMs = 0

  get count(): number {
    return this.#count
  }

  get maxMs(): number {
    return this.#maxMs
  }

  get p50Ms(): number {
    return this.quantileMs(0.5)
  }

  get p99Ms(): number {
    return this.quantileMs(0.99)
  }

  /** Negative delays (two clocks that disagree by a little) count as 0. */
  record(delayMs: number): void {
    if (!(delayMs > 0)) delayMs = 0
    const bucket = bucketOf(Math.min(Math.round(delayMs * 1000), MICROSECONDS_MAX))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#count += 1
    if (delayMs > this.#maxMs) this.#maxMs = delayMs
  }

  /** The smallest recorded delay that at least `fraction` of all do not exceed; 0 when empty. */
  quantileMs(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.#count))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket] ?? 0
      if (seen >= rank) return Math.min(middleOf(bucket) / 1000, this.#maxMs)
    }
    return this.#maxMs
  }

  /** The shape of `LagStatus.recent`: null before the first record. */
  summary(): { p50Ms: number; p99Ms: number; maxMs: number; count: number } | null {
    if (this.#count === 0) return null
    return { p50Ms: this.p50Ms, p99Ms: this.p99Ms, maxMs: this.#maxMs, count: this.#count }
  }
}

function bucketOf(microseconds: number): number {
  if (microseconds < 2 ** LINEAR_BITS) return microseconds
  const bits = bitLength(microseconds)
  const shift = bits - LINEAR_BITS
  // The top 7 bits are 64..127: the first of them is implied by the doubling.
  const top = Math.floor(microseconds / 2 ** shift)
  return shift * BUCKETS_PER_DOUBLING + top
}

function middleOf(bucket: number): number {
  if (bucket < 2 ** LINEAR_BITS) return bucket
  const shift = Math.floor(bucket / BUCKETS_PER_DOUBLING) - 1
  const top = bucket - shift * BUCKETS_PER_DOUBLING
  return (top + 0.5) * 2 ** shift
}

function bitLength(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(Math.floor(value / 2 ** 32))
}
