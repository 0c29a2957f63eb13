import { describe, expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { decodeFrame, encodeJson, FrameType, type JsonFrame } from '../../../src/link/frame.ts'
import { PeerCalls, type ServeCall } from '../../../src/link/peer-calls.ts'

const never = new AbortController().signal
const quiet = { signal: never, progress: () => undefined }
const call = (operation: string, input: unknown = {}) => {
  return { operation, input, granted: 'read' } as const
}

/** Two ends whose frames cross as bytes; the right one serves. */
function ends(serve: ServeCall) {
  const frames: JsonFrame[] = []
  const to = (other: () => PeerCalls) => ({
    sendJson: (...frame: Parameters<typeof encodeJson>) => {
      const decoded = decodeFrame(encodeJson(...frame)) as JsonFrame
      frames.push(decoded)
      setImmediate(() => other().onFrame(decoded))
    },
  })
  const left: PeerCalls = new PeerCalls(
    to(() => right),
    async () => null,
  )
  const right: PeerCalls = new PeerCalls(
    to(() => left),
    serve,
  )
  return { left, right, frames }
}

describe('what a gateway asks of another', () => {
  test('is answered, with its steps before', async () => {
    const { left } = ends(async ({ operation, input, granted }, { progress }) => {
      progress('half of it')
      return { operation, input, granted }
    })
    const steps: string[] = []
    const context = { signal: never, progress: (step: string) => void steps.push(step) }
    const answer = await left.ask(call('status', { deep: true }), context)
    expect(answer).toEqual({ operation: 'status', input: { deep: true }, granted: 'read' })
    expect(steps).toEqual(['half of it'])
  })

  test('fails with what the other says went wrong, as an error of ours', async () => {
    const { left } = ends(async () => {
      throw new LandbridgeError('ERR_OPERATION_DENIED', 'no', { remedy: 'Ask there.' })
    })
    await expect(left.ask(call('term.advance'), quiet)).rejects.toMatchObject({
      code: 'ERR_OPERATION_DENIED',
      message: 'no',
      remedy: 'Ask there.',
      retryable: false,
    })
  })

  test('is cancelled over there, and its late answer is nobody’s', async () => {
    let isAborted = false
    const { left } = ends(async (_call, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      isAborted = true
      return 'late'
    })
    const stop = new AbortController()
    const asking = left.ask(call('status'), { ...quiet, signal: stop.signal })
    await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort()
    await expect(asking).rejects.toMatchObject({ name: 'AbortError' })
    await expect.poll(() => isAborted).toBe(true)
  })

  test('is lost with the session, and what is asked of us is aborted', async () => {
    let isAborted = false
    const { left, right } = ends(async (_call, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      isAborted = true
    })
    const asking = left.ask(call('status'), quiet)
    await new Promise((resolve) => setTimeout(resolve, 5))
    left.end()
    right.end()
    await expect(asking).rejects.toMatchObject({ code: 'ERR_LINK_LOST', retryable: true })
    await expect.poll(() => isAborted).toBe(true)
    await expect(left.ask(call('status'), quiet)).rejects.toMatchObject({ code: 'ERR_LINK_LOST' })
  })

  test('is bounded: in number on both sides, in the size of input and answer', async () => {
    const going = Promise.withResolvers<void>()
    const { left, right, frames } = ends(async ({ operation }) => {
      if (operation === 'long') return 'x'.repeat(17 * 1024 * 1024)
      await going.promise
    })
    await expect(left.ask(call('long'), quiet)).rejects.toMatchObject({
      code: 'ERR_OPERATION_ANSWER',
    })
    await expect(left.ask(call('any', 'x'.repeat(70_000)), quiet)).rejects.toMatchObject({
      code: 'ERR_OPERATION_INPUT',
    })
    // A peer that does not keep to it is answered, not served.
    const refused = async (body: object): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 10))
      right.onFrame({ type: FrameType.Request, stream: 0, body: { id: 99, ...body } })
      await new Promise((resolve) => setTimeout(resolve, 10))
      expect(frames.at(-1)?.body).toMatchObject({ id: 99, error: { code: 'ERR_OPERATION_BUSY' } })
    }
    const busy = { code: 'ERR_OPERATION_BUSY', retryable: true }
    const asked = Array.from({ length: 6 }, () => left.ask(call('status'), quiet))
    await expect(left.ask(call('status'), quiet)).rejects.toMatchObject(busy)
    await refused(call('status'))
    // Who may only read keeps nobody from recovering.
    const recovering = { ...call('term.advance'), granted: 'recover' } as const
    asked.push(left.ask(recovering, quiet), left.ask(recovering, quiet))
    await expect(left.ask(recovering, quiet)).rejects.toMatchObject(busy)
    await refused(recovering)
    going.resolve()
    await Promise.all(asked)
  })

  test('ends the session when a number is used twice, or the body is no question', () => {
    const { right } = ends(async () => await new Promise(() => undefined))
    const frame = (body: unknown) => ({ type: FrameType.Request, stream: 0, body }) as const
    right.onFrame(frame({ id: 1, ...call('status') }))
    const refused = expect.objectContaining({ code: 'ERR_LINK_FRAME' })
    expect(() => right.onFrame(frame({ id: 1, ...call('status') }))).toThrow(refused)
    expect(() => right.onFrame(frame({ ...call('status'), id: 2, granted: 'root' }))).toThrow(
      refused,
    )
    expect(right.onFrame({ type: FrameType.Ack, stream: 0, syncedBytes: 1 })).toBe(false)
  })
})
