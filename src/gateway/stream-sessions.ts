import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Channel } from '../link/channel.ts'
import { type Frame, FrameType } from '../link/frame.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { Hello, State } from '../link/messages.ts'
import type { StreamHalf } from './stream-half.ts'

/**
 * Gives each stream its number in a session: its place in the DR gateway's hello. Frames are
 * handed to the stream that they name.
 */
export class StreamSessions {
  readonly #streams: readonly StreamHalf[]
  readonly #receives: boolean
  readonly #clock: Clock

  /** `receives`: the streams are copied here, so this gateway's order counts. */
  constructor(streams: readonly StreamHalf[], receives: boolean, clock: Clock) {
    this.#streams = streams
    this.#receives = receives
    this.#clock = clock
  }

  readonly create = (channel: Channel, peer: Hello): SessionBody => {
    for (const stream of this.#streams) stream.namedByPeer(peer.streams.includes(stream.name))
    const names = this.#receives ? this.#streams.map(({ name }) => name) : peer.streams
    const sessions = names.map((name, number) => {
      const stream = this.#streams.find((candidate) => candidate.name === name)
      return stream?.session(channel, number) ?? unknownStream(channel, name, number, this.#clock)
    })
    return {
      onFrame(frame) {
        const session = sessions[frame.stream]
        if (session === undefined) throw unexpectedStream(frame.stream)
        session.onFrame(frame)
      },
      async run(signal) {
        const ending = new AbortController()
        const stop = AbortSignal.any([signal, ending.signal])
        const running = sessions.map((session) => session.run(stop))
        try {
          await Promise.all(running)
        } finally {
          // The first that fails ends the others; none may reach into the next session.
          ending.abort()
          await Promise.allSettled(running)
        }
      },
    }
  }
}

/** A stream that only the DR gateway knows: it is told why nothing comes. */
function unknownStream(channel: Channel, name: string, number: number, clock: Clock): SessionBody {
  return {
    onFrame(_frame: Frame) {},
    async run() {
      const problem = {
        code: 'ERR_STREAM_UNKNOWN',
        message: `the production gateway has no stream named ${name}`,
        remedy: `Add a stream "${name}" to the production gateway, or remove it here.`,
        sinceMs: clock.wallMs(),
      }
      const state: State = { state: 'blocked', host: '', problem }
      channel.sendJson(FrameType.State, number, state)
    },
  }
}

function unexpectedStream(number: number): LandbridgeError {
  return new LandbridgeError('ERR_LINK_FRAME', `the peer names stream ${number}, there is none`)
}
