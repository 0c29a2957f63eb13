import { abortable } from '../base/abortable.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Channel } from './channel.ts'
import { type Frame, FrameType } from './frame.ts'
import type { SessionBody } from './link-session.ts'
import { parseBody, type Resume, resume, STREAMS_MAX, type State } from './messages.ts'
import { unexpectedStream } from './received-streams.ts'

/** A stream that a receiver asks for. */
export type StreamRequest = Pick<Resume, 'stream' | 'term'>

/** Why a stream is not sent to whoever asked for it. */
export type Refusal = NonNullable<State['problem']>

/** This gateway's end of a stream in a session, or why there is none. */
export type OpenStream = (
  request: StreamRequest,
  channel: Channel,
  number: number,
) => SessionBody | Refusal

/**
 * What the sender of a session does in it: nothing, until the receiver names a stream in its first
 * Resume, with the number that it gave it. From then on frames go straight to that stream.
 */
export class SentStreams implements SessionBody {
  readonly #channel: Channel
  readonly #open: OpenStream
  readonly #sessions = new Map<number, SessionBody>()
  readonly #names = new Set<string>()
  readonly #running: Promise<void>[] = []
  readonly #ending = new AbortController()
  readonly #failed = Promise.withResolvers<never>()
  #signal: AbortSignal = AbortSignal.abort()

  constructor(channel: Channel, open: OpenStream) {
    this.#channel = channel
    this.#open = open
    // Whoever awaits `run` hears of it; nobody may yet.
    this.#failed.promise.catch(() => undefined)
  }

  onFrame(frame: Frame): void {
    const known = this.#sessions.get(frame.stream)
    if (known !== undefined) known.onFrame(frame)
    else if (frame.type === FrameType.Resume) {
      this.#begin(parseBody(resume, frame.body, 'resume'), frame)
    } else throw unexpectedStream(frame.stream)
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = AbortSignal.any([signal, this.#ending.signal])
    try {
      await abortable(this.#failed.promise, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      // The first that fails ends the others; none may reach into the next session.
      this.#ending.abort()
      await Promise.allSettled(this.#running)
    }
  }

  #begin(request: Resume, frame: Frame): void {
    const { stream } = frame
    if (this.#sessions.size >= STREAMS_MAX || this.#names.has(request.stream)) {
      const message = `the peer asks for stream ${request.stream} twice, or for too many`
      throw new LandbridgeError('ERR_LINK_FRAME', message)
    }
    this.#names.add(request.stream)
    const opened = this.#open(request, this.#channel, stream)
    if ('code' in opened) {
      this.#sessions.set(stream, { onFrame: () => undefined, run: async () => undefined })
      const state: State = { state: 'blocked', host: '', problem: opened }
      this.#channel.sendJson(FrameType.State, stream, state)
      return
    }
    this.#sessions.set(stream, opened)
    opened.onFrame(frame)
    const running = opened.run(this.#signal)
    running.catch((error: unknown) => this.#failed.reject(error))
    this.#running.push(running)
  }
}
