import { LandbridgeError } from './errors.ts'

/**
 * Reads little-endian MySQL wire values from an exact slice. Every read is checked against the end
 * of the slice: a short input throws ERR_TRUNCATED and never yields a neighbour's bytes.
 */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get offset(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  #take(length: number): number {
    if (length < 0 || length > this.remaining) {
      throw new LandbridgeError(
        'ERR_TRUNCATED',
        `needed ${length} bytes at offset ${this.#at}, ${this.remaining} are left`,
      )
    }
    const at = this.#at
    this.#at += length
    return at
  }

  skip(length: number): void {
    this.#take(length)
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2))
  }

  u24(): number {
    return this.#bytes.readUIntLE(this.#take(3), 3)
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  u48(): number {
    return this.#bytes.readUIntLE(this.#take(6), 6)
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8))
  }

  /** A u64 that must fit a safe integer, such as a file offset. */
  u64Safe(): number {
    return toSafeInteger(this.u64())
  }

  /** A view, not a copy: valid as long as the slice given to the constructor. */
  bytes(length: number): Buffer {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  rest(): Buffer {
    return this.bytes(this.remaining)
  }

  text(length: number, encoding: BufferEncoding = 'utf8'): string {
    return this.bytes(length).toString(encoding)
  }

  /** Text up to a NUL byte, which is consumed. */
  textToNul(encoding: BufferEncoding = 'utf8'): string {
    const nul = this.#bytes.indexOf(0, this.#at)
    const text = this.text((nul < 0 ? this.#bytes.length + 1 : nul) - this.#at, encoding)
    this.#take(1)
    return text
  }

  /** Length-encoded integer (1, 3, 4 or 9 bytes). 0xfb (NULL) and 0xff are not integers here. */
  lenencInteger(): bigint {
    const first = this.u8()
    if (first < 0xfb) return BigInt(first)
    if (first === 0xfc) return BigInt(this.u16())
    if (first === 0xfd) return BigInt(this.u24())
    if (first === 0xfe) return this.u64()
    throw new LandbridgeError('ERR_MALFORMED', `0x${first.toString(16)} starts no integer`)
  }

  lenencBytes(): Buffer {
    return this.bytes(toSafeInteger(this.lenencInteger()))
  }

  lenencText(encoding: BufferEncoding = 'utf8'): string {
    return this.lenencBytes().toString(encoding)
  }
}

/** Grows as needed; `take()` returns what was written. For control messages, not for bulk bytes. */
export class ByteWriter {
  #bytes: Buffer
  #at = 0

  constructor(capacity = 64) {
    this.#bytes = Buffer.alloc(Math.max(capacity, 16))
  }

  get length(): number {
    return this.#at
  }

  #room(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, at + length))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#at += length
    return at
  }

  u8(value: number): this {
    const at = this.#room(1)
    this.#bytes.writeUInt8(value, at)
    return this
  }

  u16(value: number): this {
    const at = this.#room(2)
    this.#bytes.writeUInt16LE(value, at)
    return this
  }

  u24(value: number): this {
    const at = this.#room(3)
    this.#bytes.writeUIntLE(value, at, 3)
    return this
  }

  u32(value: number): this {
    const at = this.#room(4)
    this.#bytes.writeUInt32LE(value, at)
    return this
  }

  u48(value: number): this {
    const at = this.#room(6)
    this.#bytes.writeUIntLE(value, at, 6)
    return this
  }

  u64(value: bigint | number): this {
    const at = this.#room(8)
    this.#bytes.writeBigUInt64LE(BigInt(value), at)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length)
    this.#bytes.set(value, at)
    return this
  }

  zeros(length: number): this {
    this.#room(length)
    return this
  }

  text(value: string, encoding: BufferEncoding = 'utf8'): this {
    return this.bytes(Buffer.from(value, encoding))
  }

  textNul(value: string, encoding: BufferEncoding = 'utf8'): this {
    return this.text(value, encoding).u8(0)
  }

  lenencInteger(value: bigint | number): this {
    const big = BigInt(value)
    if (big < 0xfbn) return this.u8(Number(big))
    if (big < 0x1_0000n) return this.u8(0xfc).u16(Number(big))
    if (big < 0x100_0000n) return this.u8(0xfd).u24(Number(big))
    return this.u8(0xfe).u64(big)
  }

  lenencBytes(value: Uint8Array): this {
    return this.lenencInteger(value.length).bytes(value)
  }

  lenencText(value: string, encoding: BufferEncoding = 'utf8'): this {
    return this.lenencBytes(Buffer.from(value, encoding))
  }

  take(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }
}

export function toSafeInteger(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) {
    throw new LandbridgeError('ERR_MALFORMED', `${value} is beyond 2^53-1`)
  }
  return number
}
