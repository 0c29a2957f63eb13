import type { Random } from './random.ts'

const OPERATIONS_MAX = 6
const RANGE_BYTES_MAX = 64
/** Where lengths, signs and counts turn over. */
const INTERESTING = [
  ...[0, 1, 2, 4, 7, 8, 15, 16, 18, 19, 20, 23, 31, 32, 63, 64, 100, 127, 128, 250, 251, 252, 253],
  ...[254, 255, 256, 511, 512, 1023, 1024, 4095, 4096, 32_767, 32_768, 65_535, 65_536, 0xff_ffff],
  ...[0x100_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff],
  ...[2 ** 32, 2 ** 48, 2 ** 53, 2 ** 63 - 2 ** 10, 2 ** 63],
]

export interface MutatorOptions {
  readonly random: Random
  readonly bytesMax: number
  /** What inputs of this target are made of: words, numbers, names. */
  readonly tokens: readonly Buffer[]
}

/** Makes an input out of another one. Never changes the bytes that it is given. */
export class Mutator {
  readonly #random: Random
  readonly #bytesMax: number
  readonly #tokens: readonly Buffer[]

  constructor(options: MutatorOptions) {
    this.#random = options.random
    this.#bytesMax = options.bytesMax
    this.#tokens = options.tokens
  }

  /** `other` lends parts of itself. */
  mutate(parent: Buffer, other: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(parent)
    const operations = 1 + this.#random.skewed(OPERATIONS_MAX - 1)
    for (let count = 0; count < operations; count += 1) {
      bytes = this.#random.below(2) === 0 ? this.#inPlace(bytes, other) : this.#move(bytes, other)
    }
    return bytes.length > this.#bytesMax ? bytes.subarray(0, this.#bytesMax) : bytes
  }

  /** The length stays. */
  #inPlace(bytes: Buffer, other: Buffer): Buffer {
    const random = this.#random
    if (bytes.length === 0) return this.#insert(bytes, this.#noise())
    const at = random.below(bytes.length)
    switch (random.below(7)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
        return bytes
      case 1:
        bytes[at] = random.below(256)
        return bytes
      case 2:
        return put(bytes, at, numberBytes(random, random.pick(INTERESTING)))
      case 3:
        return this.#add(bytes, at)
      case 4:
        return put(bytes, at, this.#token() ?? this.#part(other))
      case 5:
        return put(bytes, at, this.#part(other))
      default:
        return put(bytes, at, Buffer.from(this.#part(bytes)))
    }
  }

  /** The length changes. */
  #move(bytes: Buffer, other: Buffer): Buffer {
    const random = this.#random
    switch (random.below(7)) {
      case 0:
        return this.#insert(bytes, this.#noise())
      case 1:
        return this.#insert(bytes, this.#token() ?? this.#part(other))
      case 2:
        return this.#insert(bytes, this.#part(bytes))
      case 3:
        return this.#insert(bytes, this.#part(other))
      case 4: {
        const cut = Buffer.concat([
          bytes.subarray(0, random.below(bytes.length + 1)),
          other.subarray(random.below(other.length + 1)),
        ])
        return cut.length > this.#bytesMax ? cut.subarray(0, this.#bytesMax) : cut
      }
      case 5:
        return bytes.subarray(0, random.below(bytes.length + 1))
      default:
        return this.#remove(bytes)
    }
  }

  #add(bytes: Buffer, at: number): Buffer {
    const random = this.#random
    const width = Math.min(bytes.length - at, random.pick([1, 1, 2, 4]))
    const by = random.below(33) - 16
    const value = bytes.readUIntLE(at, width) + by
    bytes.writeUIntLE((value + 2 ** (8 * width)) % 2 ** (8 * width), at, width)
    return bytes
  }

  #remove(bytes: Buffer): Buffer {
    const at = this.#random.below(bytes.length + 1)
    const length = this.#random.skewed(Math.min(RANGE_BYTES_MAX, bytes.length - at))
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
  }

  #insert(bytes: Buffer, part: Buffer): Buffer {
    const at = this.#random.below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
  }

  #token(): Buffer | undefined {
    return this.#tokens.length === 0 ? undefined : this.#random.pick(this.#tokens)
  }

  #part(bytes: Buffer): Buffer {
    const at = this.#random.below(bytes.length + 1)
    return bytes.subarray(at, at + 1 + this.#random.skewed(RANGE_BYTES_MAX))
  }

  #noise(): Buffer {
    const random = this.#random
    const length = 1 + random.skewed(8)
    return Buffer.from(Array.from({ length }, () => random.below(256)))
  }
}

function put(bytes: Buffer, at: number, part: Buffer): Buffer {
  part.copy(bytes, at)
  return bytes
}

function numberBytes(random: Random, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  const width = random.pick([1, 2, 3, 4, 4, 8])
  const part = bytes.subarray(0, width)
  return random.chance(6) ? Buffer.from(part).reverse() : part
}
