import { describe, expect, test } from 'vitest'
import {
  decodeFrame,
  encodeAck,
  encodeJson,
  FRAME_BYTES_MAX,
  FrameType,
} from '../../../src/link/frame.ts'
import { BODY_BYTES_MAX, MessageJoiner, splitMessage } from '../../../src/link/message-parts.ts'

const bodyOf = (bytes: number) => ({ text: 'ü'.repeat(bytes / 2) })
const joined = (messages: readonly Buffer[], joiner = new MessageJoiner()) =>
  messages.map((message) => joiner.push(message)).at(-1) ?? null

describe('a body', () => {
  test.each([10, FRAME_BYTES_MAX - 100, FRAME_BYTES_MAX + 1, 5 * FRAME_BYTES_MAX])(
    'of %d bytes arrives whole, in messages that the other side accepts',
    (bytes) => {
      const body = bodyOf(bytes)
      const messages = splitMessage(encodeJson(FrameType.Sample, 3, body))
      expect(messages.every(({ length }) => length <= FRAME_BYTES_MAX)).toBe(true)
      expect(messages.length).toBeLessThanOrEqual(Math.ceil(bytes / FRAME_BYTES_MAX) + 1)
      const frame = joined(messages)
      expect(frame && decodeFrame(frame)).toEqual({ type: FrameType.Sample, stream: 3, body })
    },
  )

  test('comes again and again by the same joiner', () => {
    const joiner = new MessageJoiner()
    for (const bytes of [2 * FRAME_BYTES_MAX, 10, 2 * FRAME_BYTES_MAX]) {
      const frame = joined(splitMessage(encodeJson(FrameType.State, 0, bodyOf(bytes))), joiner)
      expect(frame && decodeFrame(frame)).toMatchObject({ body: bodyOf(bytes) })
    }
  })

  test.each([
    ['another frame comes in between', encodeAck(3, 1)],
    ['a body of another stream', encodeJson(FrameType.Sample, 4, {})],
    ['a body of another type', encodeJson(FrameType.State, 3, {})],
  ])('is refused when %s', (_what, other) => {
    const joiner = new MessageJoiner()
    const [first = Buffer.alloc(0)] = splitMessage(
      encodeJson(FrameType.Sample, 3, bodyOf(2 * FRAME_BYTES_MAX)),
    )
    expect(joiner.push(first)).toBeNull()
    expect(() => joiner.push(other)).toThrow(expect.objectContaining({ code: 'ERR_LINK_FRAME' }))
  })

  test('is refused when it never ends', () => {
    const joiner = new MessageJoiner()
    const part = Buffer.alloc(FRAME_BYTES_MAX)
    part.writeUInt8(FrameType.Sample, 0)
    part.writeUInt8(2, 1)
    const endless = () => {
      for (let count = 0; count <= BODY_BYTES_MAX / FRAME_BYTES_MAX + 1; count += 1) {
        joiner.push(part)
      }
    }
    expect(endless).toThrow(expect.objectContaining({ code: 'ERR_LINK_FRAME' }))
  })

  test('passes other frames and short ones as they are', () => {
    const joiner = new MessageJoiner()
    for (const message of [encodeAck(1, 2), Buffer.alloc(0), Buffer.from([9, 2])]) {
      expect(joiner.push(message)).toBe(message)
    }
  })
})
