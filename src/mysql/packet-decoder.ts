import { LandbridgeError } from '../base/errors.ts'

/** One logical packet: its continuation packets are joined. */
export interface Packet {
  /** Of the last packet on the wire. */
  readonly sequence: number
  readonly payload: Buffer
}

export const PACKET_HEADER_BYTES = 4
/** A payload of this size is continued in the next packet. */
export const PACKET_PAYLOAD_MAX = 0xff_ffff
/** A buffer of its own for a few bytes would cost ten times as much as they do. */
const SMALL_CHUNK_BYTES = 1024
const TAIL_BYTES = 16 * 1024
/** A larger packet gets a buffer for itself: it is not kept in many, and can be given back. */
const LARGE_BYTES = 64 * 1024

/**
 * Cuts the bytes of a peer into packets. `payloadBytesMax` is checked before anything is kept, so
 * that a peer can make us hold no more than that.
 *
 *     header (length u24, sequence u8) ──▶ payload ──▶ header ...
 */
export class PacketDecoder {
  #chunks: Buffer[] = []
  #held = 0
  /** Where small chunks are put together; its filled part is the last chunk, or there is none. */
  #tail: Buffer | null = null
  /** The packet that is being received, header and all, when it is a large one. */
  #large: Buffer<ArrayBuffer> | null = null
  #largeHeld = 0
  /** Until so much is held, looking again is useless: a peer may send byte by byte. */
  #needed = PACKET_HEADER_BYTES
  #parts: Buffer[] = []
  #partsBytes = 0
  #payloadBytesMax: number

  constructor(options: { readonly payloadBytesMax: number }) {
    this.#payloadBytesMax = options.payloadBytesMax
  }

  set payloadBytesMax(value: number) {
    this.#payloadBytesMax = value
  }

  /** Bytes that are kept: of packets that are not whole yet, and behind the last one taken. */
  get heldBytes(): number {
    return this.#held + this.#partsBytes
  }

  push(chunk: Buffer): void {
    this.#held += chunk.length
    let rest = chunk
    if (this.#large !== null) {
      const copied = chunk.copy(this.#large, this.#largeHeld)
      this.#largeHeld += copied
      rest = chunk.subarray(copied)
    }
    if (rest.length === 0) return
    if (rest.length > SMALL_CHUNK_BYTES || this.#chunks.length === 0) {
      this.#chunks.push(rest)
      this.#tail = null
    } else this.#pushSmall(rest)
  }

  #pushSmall(chunk: Buffer): void {
    const last = this.#tail === null ? null : (this.#chunks.pop() as Buffer)
    if (this.#tail !== null && last !== null && last.length + chunk.length <= TAIL_BYTES) {
      chunk.copy(this.#tail, last.length)
      this.#chunks.push(this.#tail.subarray(0, last.length + chunk.length))
      return
    }
    if (last !== null) this.#chunks.push(last)
    this.#tail = Buffer.allocUnsafe(TAIL_BYTES)
    chunk.copy(this.#tail)
    this.#chunks.push(this.#tail.subarray(0, chunk.length))
  }

  /** The next whole packet, or undefined until more bytes are pushed. */
  next(): Packet | undefined {
    while (this.#held >= this.#needed) {
      if (this.#large !== null) {
        const packet = this.#takeLarge(this.#large)
        if (packet !== undefined) return packet
        continue
      }
      const bytes = this.#joined()
      const length = bytes.readUIntLE(0, 3)
      if (this.#partsBytes + length > this.#payloadBytesMax) {
        throw new LandbridgeError('ERR_PACKET_SIZE', 'the peer sent a packet that is too large', {
          details: { bytes: this.#partsBytes + length, bytesMax: this.#payloadBytesMax },
        })
      }
      const end = PACKET_HEADER_BYTES + length
      if (bytes.length < end) {
        this.#needed = end
        if (end > LARGE_BYTES) this.#beginLarge(bytes, end)
        return undefined
      }
      this.#keep(bytes.subarray(end))
      const packet = this.#take(bytes.subarray(PACKET_HEADER_BYTES, end), bytes.readUInt8(3))
      if (packet !== undefined) return packet
    }
    return undefined
  }

  /** Gives back what is kept: nothing more will be taken. */
  clear(): void {
    // No part of it was ever handed out, so its memory need not wait for the garbage collector.
    this.#large?.buffer.transfer(0)
    this.#large = null
    this.#parts = []
    this.#partsBytes = 0
    this.#keep(Buffer.alloc(0))
  }

  #beginLarge(begun: Buffer, bytes: number): void {
    this.#large = Buffer.allocUnsafeSlow(bytes)
    this.#largeHeld = begun.copy(this.#large)
    this.#chunks = []
    this.#tail = null
  }

  #takeLarge(bytes: Buffer): Packet | undefined {
    this.#large = null
    this.#held -= bytes.length
    this.#needed = PACKET_HEADER_BYTES
    return this.#take(bytes.subarray(PACKET_HEADER_BYTES), bytes.readUInt8(3))
  }

  /** Bytes behind the last packet taken, for the protocol that follows (TLS). */
  takeRest(): Buffer {
    const rest = this.#joined()
    this.#keep(rest.subarray(rest.length))
    return rest
  }

  #take(payload: Buffer, sequence: number): Packet | undefined {
    this.#partsBytes += payload.length
    this.#parts.push(payload)
    if (payload.length === PACKET_PAYLOAD_MAX) return undefined
    const whole = this.#parts.length === 1 ? payload : Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsBytes = 0
    return { sequence, payload: whole }
  }

  #joined(): Buffer {
    this.#tail = null
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0] ?? Buffer.alloc(0)
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#held = rest.length
    this.#needed = PACKET_HEADER_BYTES
  }
}
