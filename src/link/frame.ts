import { ByteReader, ByteWriter } from '../base/cursor.ts'
import { LandbridgeError } from '../base/errors.ts'

/**
 * The frames of the link; PROTOCOL.md beside this file has the layout and a worked example.
 * One WebSocket message carries one frame.
 */
export const FrameType = {
  Hello: 1,
  Resume: 2,
  Open: 3,
  File: 4,
  Data: 5,
  Ack: 6,
  Ping: 7,
  Pong: 8,
  Sample: 9,
  State: 10,
  Restart: 11,
  Close: 12,
  Request: 13,
  Reply: 14,
  Cancel: 15,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

export const PROTOCOL_VERSION = 1
/** Payload of one Data frame, before compression. */
export const FRAME_PAYLOAD_BYTES_MAX = 1024 * 1024
/** Type 1, flags 1, stream 2. */
export const PREFIX_BYTES = 4
/** Prefix, file offset 8, read time 8, payload size before compression 4. */
export const DATA_HEADER_BYTES = PREFIX_BYTES + 20
/** The largest message either side accepts. */
export const FRAME_BYTES_MAX = FRAME_PAYLOAD_BYTES_MAX + DATA_HEADER_BYTES

const FLAG_ZSTD = 1

export interface DataFrame {
  readonly type: typeof FrameType.Data
  readonly stream: number
  /** Where `payload` begins in its file. */
  readonly offset: number
  /** When the sender read the last of these bytes, microseconds since 1970 in its clock. */
  readonly readAtUs: number
  readonly compressed: boolean
  /** Bytes that `payload` has once decompressed. */
  readonly rawBytes: number
  /** A view into the message. */
  readonly payload: Buffer
}

const JSON_TYPES = [
  FrameType.Hello,
  FrameType.Resume,
  FrameType.Open,
  FrameType.Sample,
  FrameType.State,
  FrameType.Restart,
  FrameType.Close,
  FrameType.Request,
  FrameType.Reply,
  FrameType.Cancel,
] as const

export interface JsonFrame {
  readonly type: (typeof JSON_TYPES)[number]
  readonly stream: number
  readonly body: unknown
}

export type Frame =
  | DataFrame
  | JsonFrame
  | {
      readonly type: typeof FrameType.File
      readonly stream: number
      readonly offset: number
      readonly name: string
    }
  | { readonly type: typeof FrameType.Ack; readonly stream: number; readonly syncedBytes: number }
  | { readonly type: typeof FrameType.Ping; readonly stream: number; readonly sentUs: number }
  | {
      readonly type: typeof FrameType.Pong
      readonly stream: number
      readonly sentUs: number
      readonly answeredUs: number
    }

function prefix(type: FrameType, stream: number, bytes = 32): ByteWriter {
  return new ByteWriter(PREFIX_BYTES + bytes).u8(type).u8(0).u16(stream)
}

export function encodeJson(type: JsonFrame['type'], stream: number, body: unknown): Buffer {
  return prefix(type, stream, 256).text(JSON.stringify(body)).take()
}

export function encodeFile(stream: number, offset: number, name: string): Buffer {
  return prefix(FrameType.File, stream).u64(offset).text(name).take()
}

export function encodeAck(stream: number, syncedBytes: number): Buffer {
  return prefix(FrameType.Ack, stream).u64(syncedBytes).take()
}

export function encodePing(sentUs: number): Buffer {
  return prefix(FrameType.Ping, 0).u64(sentUs).take()
}

export function encodePong(sentUs: number, answeredUs: number): Buffer {
  return prefix(FrameType.Pong, 0).u64(sentUs).u64(answeredUs).take()
}

/** Writes a Data frame's header into the first DATA_HEADER_BYTES of `message`. */
export function writeDataHeader(
  message: Buffer,
  frame: Pick<DataFrame, 'stream' | 'offset' | 'readAtUs' | 'compressed' | 'rawBytes'>,
): void {
  message.writeUInt8(FrameType.Data, 0)
  message.writeUInt8(frame.compressed ? FLAG_ZSTD : 0, 1)
  message.writeUInt16LE(frame.stream, 2)
  message.writeBigUInt64LE(BigInt(frame.offset), 4)
  message.writeBigUInt64LE(BigInt(frame.readAtUs), 12)
  message.writeUInt32LE(frame.rawBytes, 20)
}

/** Throws ERR_TRUNCATED, ERR_MALFORMED, ERR_LINK_FRAME. */
export function decodeFrame(message: Buffer): Frame {
  const reader = new ByteReader(message)
  const type = reader.u8()
  const flags = reader.u8()
  const stream = reader.u16()
  switch (type) {
    case FrameType.Data:
      return decodeData(reader, flags, stream)
    case FrameType.File:
      return { type, stream, offset: reader.u64Safe(), name: reader.rest().toString('utf8') }
    case FrameType.Ack:
      return { type, stream, syncedBytes: reader.u64Safe() }
    case FrameType.Ping:
      return { type, stream, sentUs: reader.u64Safe() }
    case FrameType.Pong:
      return { type, stream, sentUs: reader.u64Safe(), answeredUs: reader.u64Safe() }
    default:
      if (isJsonType(type)) return { type, stream, body: parseJson(reader.rest()) }
      throw new LandbridgeError('ERR_LINK_FRAME', `the peer sent a frame of unknown type ${type}`)
  }
}

export function isJsonType(type: number): type is JsonFrame['type'] {
  return (JSON_TYPES as readonly number[]).includes(type)
}

function decodeData(reader: ByteReader, flags: number, stream: number): DataFrame {
  const offset = reader.u64Safe()
  const readAtUs = reader.u64Safe()
  const rawBytes = reader.u32()
  const payload = reader.rest()
  const compressed = (flags & FLAG_ZSTD) !== 0
  const sizeAgrees = compressed || payload.length === rawBytes
  if (rawBytes === 0 || rawBytes > FRAME_PAYLOAD_BYTES_MAX || !sizeAgrees) {
    throw new LandbridgeError('ERR_LINK_FRAME', `a data frame claims ${rawBytes} bytes`)
  }
  return { type: FrameType.Data, stream, offset, readAtUs, compressed, rawBytes, payload }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new LandbridgeError('ERR_LINK_FRAME', 'the peer sent a frame that is no JSON', { cause })
  }
}
