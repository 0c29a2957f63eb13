import { LandbridgeError } from '../base/errors.ts'
import { FRAME_BYTES_MAX, isJsonType, PREFIX_BYTES } from './frame.ts'

/** In the flags of a JSON frame: the body goes on in the next message. */
const FLAG_MORE = 2
const FLAGS_AT = 1
/** What one body may come to: names of 60,000 files, or a GTID set of a million intervals. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024

/** A JSON frame as messages that the other side accepts, each with the frame's first four bytes. */
export function splitMessage(frame: Buffer): readonly Buffer[] {
  if (frame.length <= FRAME_BYTES_MAX) return [frame]
  const prefix = frame.subarray(0, PREFIX_BYTES)
  const step = FRAME_BYTES_MAX - PREFIX_BYTES
  const messages: Buffer[] = []
  for (let at = PREFIX_BYTES; at < frame.length; at += step) {
    const message = Buffer.concat([prefix, frame.subarray(at, at + step)])
    if (at + step < frame.length) message.writeUInt8(FLAG_MORE, FLAGS_AT)
    messages.push(message)
  }
  return messages
}

/** Puts the parts of a body together again; they come one right behind the other. */
export class MessageJoiner {
  #parts: Buffer[] = []
  #bytes = 0

  /** A whole frame, or null while more of it is to come. Throws ERR_LINK_FRAME. */
  push(message: Buffer): Buffer | null {
    const isPart = message.length >= PREFIX_BYTES && isJsonType(message.readUInt8(0))
    const hasMore = isPart && ((message[FLAGS_AT] ?? 0) & FLAG_MORE) !== 0
    const [first] = this.#parts
    if (first === undefined && !hasMore) return message
    if (!isPart || (first !== undefined && !isSameFrame(first, message))) {
      throw new LandbridgeError('ERR_LINK_FRAME', 'the peer breaks off in the middle of a body')
    }
    this.#bytes += message.length
    if (this.#bytes > BODY_BYTES_MAX) {
      throw new LandbridgeError('ERR_LINK_FRAME', `the peer sends a body of ${this.#bytes} bytes`)
    }
    this.#parts.push(first === undefined ? message : message.subarray(PREFIX_BYTES))
    if (hasMore) return null
    const whole = Buffer.concat(this.#parts)
    this.#parts = []
    this.#bytes = 0
    return whole
  }
}

function isSameFrame(first: Buffer, message: Buffer): boolean {
  return first[0] === message[0] && first.readUInt16LE(2) === message.readUInt16LE(2)
}
