import assert from 'node:assert/strict'

/** A power of two. 64 buckets for each doubling: a bucket's middle is at most 1/128 (0.8 %) off. */
const BUCKETS_PER_DOUBLING = 64
const DOUBLINGS = 40

export interface PercentilesOptions {
  /** A power of two; 16 are within 3 % and need a quarter of the memory. */
  readonly bucketsPerDoubling?: number
}

export interface DelaySummary {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly count: number
}

/**
 * Distribution of delays in 21 KB whatever their number: buckets of one microsecond up to 128, then
 * 64 for each doubling. `record` allocates nothing. The maximum is exact.
 */
export class Percentiles {
  readonly #perDoubling: number
  readonly #linearBits: number
  /** Four years in microseconds. Longer delays count as this. */
  readonly #microsecondsMax: number
  readonly #counts: Float64Array
  #count = 0
  #maxMs = 0

  constructor({ bucketsPerDoubling = BUCKETS_PER_DOUBLING }: PercentilesOptions = {}) {
    this.#perDoubling = bucketsPerDoubling
    this.#linearBits = Math.log2(bucketsPerDoubling) + 1
    assert(Number.isInteger(this.#linearBits))
    this.#microsecondsMax = 2 ** (this.#linearBits + DOUBLINGS) - 1
    this.#counts = new Float64Array(bucketsPerDoubling * (DOUBLINGS + 2))
  }

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
    const bucket = this.#bucketOf(Math.min(Math.round(delayMs * 1000), this.#microsecondsMax))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#count += 1
    if (delayMs > this.#maxMs) this.#maxMs = delayMs
  }

  /** What `other`, of the same resolution, has recorded counts here too. */
  add(other: Percentiles): void {
    assert(other.#perDoubling === this.#perDoubling)
    if (other.#count === 0) return
    for (let bucket = 0; bucket < other.#counts.length; bucket += 1) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + (other.#counts[bucket] ?? 0)
    }
    this.#count += other.#count
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs)
  }

  clear(): void {
    if (this.#count === 0) return
    this.#counts.fill(0)
    this.#count = 0
    this.#maxMs = 0
  }

  /** The smallest recorded delay that at least `fraction` of all do not exceed; 0 when empty. */
  quantileMs(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.#count))
    let seen = 0
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count
      if (seen >= rank) return Math.min(this.#middleOf(bucket) / 1000, this.#maxMs)
    }
    return this.#maxMs
  }

  /** Null before the first record. */
  summary(): DelaySummary | null {
    if (this.#count === 0) return null
    const p95Ms = this.quantileMs(0.95)
    return { p50Ms: this.p50Ms, p95Ms, p99Ms: this.p99Ms, maxMs: this.#maxMs, count: this.#count }
  }

  #bucketOf(microseconds: number): number {
    if (microseconds < 2 ** this.#linearBits) return microseconds
    const bits = bitLength(microseconds)
    const shift = bits - this.#linearBits
    // Of the top bits the first is implied by the doubling.
    const top = Math.floor(microseconds / 2 ** shift)
    return shift * this.#perDoubling + top
  }

  #middleOf(bucket: number): number {
    if (bucket < 2 ** this.#linearBits) return bucket
    const shift = Math.floor(bucket / this.#perDoubling) - 1
    const top = bucket - shift * this.#perDoubling
    return (top + 0.5) * 2 ** shift
  }
}

function bitLength(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(Math.floor(value / 2 ** 32))
}
