import type { Random } from './random.ts'

const ENTRIES_MAX = 8_000
const BYTES_MAX = 64 * 1024 * 1024
/** So many of the newest are chosen as often as all others together. */
const NEWEST = 24

/** The inputs that went where no other did. */
export class Corpus {
  readonly #random: Random
  readonly #entries: Buffer[] = []
  #bytes = 0

  constructor(random: Random) {
    this.#random = random
  }

  get size(): number {
    return this.#entries.length
  }

  get bytes(): number {
    return this.#bytes
  }

  get entries(): readonly Buffer[] {
    return this.#entries
  }

  add(input: Buffer): void {
    if (this.#entries.length >= ENTRIES_MAX || this.#bytes + input.length > BYTES_MAX) return
    this.#entries.push(Buffer.from(input))
    this.#bytes += input.length
  }

  /** An input to go on from; an empty one while there is none. */
  pick(): Buffer {
    const { length } = this.#entries
    if (length === 0) return Buffer.alloc(0)
    const from = this.#random.chance(2) ? Math.max(0, length - NEWEST) : 0
    return this.#entries[from + this.#random.below(length - from)] as Buffer
  }
}
