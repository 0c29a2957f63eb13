import assert from 'node:assert/strict'
import {
  DATA_HEADER_BYTES,
  decodeFrame,
  encodeAck,
  encodeFile,
  encodeJson,
  encodePing,
  encodePong,
  type Frame,
  FrameType,
  type JsonFrame,
  writeDataHeader,
} from '../../../src/link/frame.ts'
import {
  cancel,
  close,
  hello,
  open,
  parseBody,
  reply,
  request,
  restart,
  resume,
  sample,
  state,
} from '../../../src/link/messages.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { BODIES, encodeData } from '../input/link-bodies.ts'

/** Each again on what it made of the body: what was taken once is taken again. */
const PARSERS: Readonly<Record<JsonFrame['type'], (body: unknown) => void>> = {
  [FrameType.Hello]: (body) => parseBody(hello, parseBody(hello, body, 'hello'), 'hello'),
  [FrameType.Resume]: (body) => parseBody(resume, parseBody(resume, body, 'resume'), 'resume'),
  [FrameType.Open]: (body) => parseBody(open, parseBody(open, body, 'open'), 'open'),
  [FrameType.Sample]: (body) => parseBody(sample, parseBody(sample, body, 'sample'), 'sample'),
  [FrameType.State]: (body) => parseBody(state, parseBody(state, body, 'state'), 'state'),
  [FrameType.Restart]: (body) => parseBody(restart, parseBody(restart, body, 'restart'), 'restart'),
  [FrameType.Close]: (body) => parseBody(close, parseBody(close, body, 'close'), 'close'),
  [FrameType.Request]: (body) => parseBody(request, parseBody(request, body, 'request'), 'request'),
  [FrameType.Reply]: (body) => parseBody(reply, parseBody(reply, body, 'reply'), 'reply'),
  [FrameType.Cancel]: (body) => parseBody(cancel, parseBody(cancel, body, 'cancel'), 'cancel'),
}

/** The frame again from what was read of it. */
function encode(frame: Frame): Buffer {
  switch (frame.type) {
    case FrameType.Data: {
      const message = Buffer.concat([Buffer.alloc(DATA_HEADER_BYTES), frame.payload])
      writeDataHeader(message, frame)
      return message
    }
    case FrameType.File:
      return encodeFile(frame.stream, frame.offset, frame.name)
    case FrameType.Ack:
      return encodeAck(frame.stream, frame.syncedBytes)
    case FrameType.Ping:
      return encodePing(frame.sentUs)
    case FrameType.Pong:
      return encodePong(frame.sentUs, frame.answeredUs)
    default:
      return encodeJson(frame.type, frame.stream, frame.body)
  }
}

function run(input: Buffer): void {
  const frame = decodeFrame(input)
  const encoded = encode(frame)
  const again = decodeFrame(encoded)
  assert.deepEqual(encode(again), encoded)
  if (!('body' in frame)) return
  PARSERS[frame.type](frame.body)
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 2048,
  seeds: [
    ...BODIES.map(([type, body]) => encodeJson(type, 1, body)),
    encodeFile(0, 4, 'binlog.000001'),
    encodeAck(3, 2 ** 40),
    encodePing(1_700_000_000_000_000),
    encodePong(1_700_000_000_000_000, 1_700_000_000_000_001),
    encodeData(4, Buffer.from('binlog bytes'), false),
    encodeData(2 ** 33, Buffer.alloc(300, 7), true),
  ],
  tokens: ['null', 'true', '[]', '{}', '""', '1e999', '-0', '__proto__', '9007199254740993'],
  run,
})
