import { RECORDER_KEY } from './instrument.ts'

type Scalar = number | bigint | string

/** What instrumented code compared: an input that holds one side may get further with the other. */
export type Comparison = readonly [left: Scalar, right: Scalar]

const COUNTERS_MAX = 64 * 1024
const COMPARISONS_MAX = 512
const TEXT_LENGTH_MAX = 64

/** Counts of a branch fall into classes: once, twice, three times, 4 to 7, ... 128 and more. */
const CLASS_BITS = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count <= 2) return count
  if (count === 3) return 4
  return 2 ** Math.min(7, Math.floor(Math.log2(count)) + 1)
})

/** Notes both sides of comparisons while it is on. */
class Trace {
  isOn = false
  #seen = new Map<string, Comparison>()

  readonly note = (left: unknown, right: unknown): void => {
    if (left === right || !isScalar(left) || !isScalar(right)) return
    if (typeof left !== typeof right || this.#seen.size >= COMPARISONS_MAX) return
    this.#seen.set(`${typeof left}:${left}:${right}`, [left, right])
  }

  take(): Comparison[] {
    const list = [...this.#seen.values()]
    this.#seen = new Map()
    return list
  }
}

function isScalar(value: unknown): value is Scalar {
  if (typeof value === 'string') return value.length <= TEXT_LENGTH_MAX
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

/** One for each thread: instrumented modules write to it, the fuzzer reads what is new. */
export class Recorder {
  readonly counters = new Uint8Array(COUNTERS_MAX)
  readonly trace = new Trace()
  readonly literals = new Set<string | number>()
  readonly #known = new Uint8Array(COUNTERS_MAX)
  readonly #words = new Uint32Array(this.counters.buffer)
  #used = 0

  /** Branches there are in the modules loaded so far. */
  get branches(): number {
    return this.#used
  }

  install(): void {
    Object.assign(globalThis, { [RECORDER_KEY]: this })
  }

  /** Counters for one more module. */
  extend(counters: number): void {
    this.#used += counters
    if (this.#used > COUNTERS_MAX) throw new RangeError('too many modules are instrumented')
  }

  clear(): void {
    this.counters.fill(0, 0, this.#used)
  }

  /** Whether the run since `clear` went where none before it did; that is known from now on. */
  takeNew(): boolean {
    let isNew = false
    const words = (this.#used + 3) >>> 2
    for (let word = 0; word < words; word += 1) {
      if (this.#words[word] === 0) continue
      for (let index = 4 * word; index < 4 * word + 4; index += 1) {
        const bit = CLASS_BITS[this.counters[index] as number] as number
        const known = this.#known[index] as number
        if ((known & bit) === bit) continue
        this.#known[index] = known | bit
        isNew = true
      }
    }
    return isNew
  }

  /** Branches that any run took. */
  get covered(): number {
    let count = 0
    for (let index = 0; index < this.#used; index += 1) if (this.#known[index] !== 0) count += 1
    return count
  }
}
