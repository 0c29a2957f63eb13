import { PACKET_HEADER_BYTES, PACKET_PAYLOAD_MAX } from './packet-decoder.ts'

/** Puts payloads into packets with running sequence numbers. */
export class PacketWriter {
  #sequence = 0

  /** Of the next packet. */
  get sequence(): number {
    return this.#sequence
  }

  /** A reply starts one after the packet it answers. */
  set sequence(value: number) {
    this.#sequence = value & 0xff
  }

  /** A payload of 16 MiB and more is split; an exact multiple ends with an empty packet. */
  frame(payload: Buffer): Buffer {
    const parts: Buffer[] = []
    let at = 0
    let length: number
    do {
      length = Math.min(payload.length - at, PACKET_PAYLOAD_MAX)
      const header = Buffer.alloc(PACKET_HEADER_BYTES)
      this.writeHeader(header, 0, length)
      parts.push(header, payload.subarray(at, at + length))
      at += length
    } while (length === PACKET_PAYLOAD_MAX)
    return Buffer.concat(parts)
  }

  frameAll(payloads: readonly Buffer[]): Buffer {
    return Buffer.concat(payloads.map((payload) => this.frame(payload)))
  }

  /** Only the header, for callers who lay out the payload themselves. */
  writeHeader(target: Buffer, at: number, length: number): void {
    target.writeUInt32LE(((this.#sequence << 24) | length) >>> 0, at)
    this.#sequence = (this.#sequence + 1) & 0xff
  }
}
