import { describe, expect, test } from 'vitest'
import type { StreamHalf } from '../../../src/gateway/stream-half.ts'
import { StreamSessions } from '../../../src/gateway/stream-sessions.ts'
import type { Channel } from '../../../src/link/channel.ts'
import { decodeFrame, encodeJson, type Frame, FrameType } from '../../../src/link/frame.ts'
import type { Hello } from '../../../src/link/messages.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

type Run = (signal: AbortSignal) => Promise<void>

/** A stream whose sessions do what the test says. */
function streamOf(name: string, run: Run, seen: Frame[] = []): StreamHalf {
  const session = () => ({ onFrame: (frame: Frame) => seen.push(frame), run })
  const stream = { name, session, namedByPeer: () => undefined }
  return stream as unknown as StreamHalf
}

const untilAbort: Run = async (signal) => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

function bodyOf(streams: StreamHalf[], names: string[], sent: Buffer[] = []) {
  const sendJson = (...frame: Parameters<typeof encodeJson>) => sent.push(encodeJson(...frame))
  const channel = { sendJson } as unknown as Channel
  const peer: Hello = {
    protocol: { oldest: 1, newest: 1 },
    gateway: 'azure',
    site: 'dr',
    software: 'test',
    streams: names,
  }
  return new StreamSessions(streams, false, new FakeClock()).create(channel, peer)
}

describe('the streams of a session', () => {
  test('are numbered as the DR gateway names them', () => {
    const [a, b]: [Frame[], Frame[]] = [[], []]
    const body = bodyOf([streamOf('a', untilAbort, a), streamOf('b', untilAbort, b)], ['b', 'a'])
    const frame = (stream: number): Frame => ({ type: FrameType.Ack, stream, syncedBytes: 0 })
    body.onFrame(frame(0))
    body.onFrame(frame(1))
    expect([a.map(({ stream }) => stream), b.map(({ stream }) => stream)]).toEqual([[1], [0]])
    expect(() => body.onFrame(frame(2))).toThrow(
      expect.objectContaining({ code: 'ERR_LINK_FRAME' }),
    )
  })

  test('end together: one that fails ends the others, and all are waited for', async () => {
    let isOver = false
    const slow: Run = async (signal) => {
      await untilAbort(signal)
      await new Promise((resolve) => setTimeout(resolve, 20))
      isOver = true
    }
    const failing: Run = async () => {
      throw new Error('one failed')
    }
    const body = bodyOf([streamOf('a', slow), streamOf('b', failing)], ['a', 'b'])
    await expect(body.run(new AbortController().signal)).rejects.toThrow('one failed')
    expect(isOver).toBe(true)
  })

  test('tell the DR gateway of a stream that production does not have', async () => {
    const sent: Buffer[] = []
    await bodyOf([], ['ghost'], sent).run(new AbortController().signal)
    expect(sent.map((message) => decodeFrame(message))).toMatchObject([
      { type: FrameType.State, stream: 0, body: { problem: { code: 'ERR_STREAM_UNKNOWN' } } },
    ])
  })
})
