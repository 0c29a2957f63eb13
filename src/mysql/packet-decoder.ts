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

/**
 * Cuts the bytes of a peer into packets. `payloadBytesMax` is checked before anything is kept, so
 * that a peer can make us hold no more than that.
 *
 *     header (length u24, sequence u8) ──▶ payload ──▶ header ...
 */
export class PacketDecoder {
  #chunks: Buffer[] = []
  #held = 0
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

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
  }

  /** The next whole packet, or undefined until more bytes are pushed. */
  next(): Packet | undefined {
    while (this.#held >= this.#needed) {
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
        return undefined
      }
      this.#keep(bytes.subarray(end))
      const packet = this.#take(bytes.subarray(PACKET_HEADER_BYTES, end), bytes.readUInt8(3))
      if (packet !== undefined) return packet
    }
    return undefined
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
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0] ?? Buffer.alloc(0)
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#held = rest.length
    this.#needed = PACKET_HEADER_BYTES
  }
}
