import { describe, expect, test } from 'vitest'
import type { Channel } from '../../../src/link/channel.ts'
import { decodeFrame, encodeJson, type Frame, FrameType } from '../../../src/link/frame.ts'
import type { SessionBody } from '../../../src/link/link-session.ts'
import { receivedStreams } from '../../../src/link/received-streams.ts'
import { type Refusal, SentStreams } from '../../../src/link/sent-streams.ts'
import { until } from '../../helpers/spool/spool-fixture.ts'

type Run = (signal: AbortSignal) => Promise<void>

const untilAbort: Run = async (signal) => {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

const resume = (number: number, stream: string, term = 1): Frame => ({
  type: FrameType.Resume,
  stream: number,
  body: { stream, term, held: null, windowBytes: 5 },
})
const ack = (number: number): Frame => ({ type: FrameType.Ack, stream: number, syncedBytes: 0 })

/** Streams by name: what their sessions do, and the frames that they saw. */
class Sender {
  readonly sent: Frame[] = []
  readonly seen = new Map<string, number[]>()
  readonly body: SentStreams

  constructor(streams: Readonly<Record<string, Run | Refusal>>) {
    const sendJson = (...frame: Parameters<typeof encodeJson>) => {
      this.sent.push(decodeFrame(encodeJson(...frame)))
    }
    const channel = { sendJson } as unknown as Channel
    this.body = new SentStreams(channel, ({ stream }, _channel, number) => {
      const what = streams[stream]
      if (what === undefined) throw new Error(`the test has no ${stream}`)
      return typeof what === 'function' ? this.#session(stream, number, what) : what
    })
  }

  #session(name: string, number: number, run: Run): SessionBody {
    const frames: number[] = []
    this.seen.set(`${name} ${number}`, frames)
    return { run, onFrame: ({ type }) => void frames.push(type) }
  }
}

describe('the streams that a session sends', () => {
  test('have the numbers that the receiver gives them, and get their frames alone', async () => {
    const sender = new Sender({ a: untilAbort, b: untilAbort })
    const stop = new AbortController()
    const running = sender.body.run(stop.signal)
    for (const frame of [resume(7, 'b'), resume(0, 'a'), ack(7)]) sender.body.onFrame(frame)
    expect([...sender.seen]).toEqual([
      ['b 7', [FrameType.Resume, FrameType.Ack]],
      ['a 0', [FrameType.Resume]],
    ])
    stop.abort()
    await running
  })

  test('are none before they were asked for by name, and each is asked for once', () => {
    const { body } = new Sender({ a: untilAbort })
    void body.run(new AbortController().signal)
    const refused = expect.objectContaining({ code: 'ERR_LINK_FRAME' })
    expect(() => body.onFrame(ack(0))).toThrow(refused)
    body.onFrame(resume(0, 'a'))
    expect(() => body.onFrame(resume(1, 'a'))).toThrow(refused)
  })

  test('that there are not are refused with the reason, once, and the others go on', async () => {
    const problem = { code: 'ERR_STREAM_UNKNOWN', message: 'none', remedy: null, sinceMs: 5 }
    const sender = new Sender({ ghost: problem, a: untilAbort })
    const stop = new AbortController()
    const running = sender.body.run(stop.signal)
    for (const frame of [resume(0, 'ghost'), resume(0, 'ghost'), ack(0), resume(1, 'a')]) {
      sender.body.onFrame(frame)
    }
    expect(sender.sent).toEqual([
      { type: FrameType.State, stream: 0, body: { state: 'blocked', host: '', problem } },
    ])
    expect([...sender.seen.keys()]).toEqual(['a 1'])
    stop.abort()
    await running
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
    const { body } = new Sender({ slow, failing })
    const running = body.run(new AbortController().signal)
    body.onFrame(resume(0, 'slow'))
    body.onFrame(resume(1, 'failing'))
    await expect(running).rejects.toThrow('one failed')
    expect(isOver).toBe(true)
  })
})

test('the streams that a session receives are numbered here, others are not taken', async () => {
  const seen: string[] = []
  const stream = (name: string) => ({
    session: (_channel: Channel, number: number): SessionBody => ({
      onFrame: ({ type }) => void seen.push(`${name} ${number} ${type}`),
      run: untilAbort,
    }),
  })
  const body = receivedStreams([stream('a'), stream('b')], {} as Channel)
  const stop = new AbortController()
  const running = body.run(stop.signal)
  body.onFrame(ack(1))
  await until(() => seen.length === 1)
  expect(seen).toEqual([`b 1 ${FrameType.Ack}`])
  expect(() => body.onFrame(ack(2))).toThrow(expect.objectContaining({ code: 'ERR_LINK_FRAME' }))
  stop.abort()
  await running
})
