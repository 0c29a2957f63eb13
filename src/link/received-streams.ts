import { LandbridgeError } from '../base/errors.ts'
import { runTogether } from '../base/tasks.ts'
import type { Channel } from './channel.ts'
import type { SessionBody } from './link-session.ts'

/** A stream that is received over a session. */
export interface ReceivedStream {
  /** Its end of the session, in which frames name it by `number`. */
  session(channel: Channel, number: number): SessionBody
}

/**
 * What the receiver of a session does in it: it numbers its streams, and each asks for what it
 * lacks. Frames go straight to the stream that they name.
 */
export function receivedStreams(streams: readonly ReceivedStream[], channel: Channel): SessionBody {
  const sessions = streams.map((stream, number) => stream.session(channel, number))
  return {
    onFrame(frame) {
      const session = sessions[frame.stream]
      if (session === undefined) throw unexpectedStream(frame.stream)
      session.onFrame(frame)
    },
    async run(signal) {
      await runTogether(sessions, signal)
    },
  }
}

export function unexpectedStream(number: number): LandbridgeError {
  return new LandbridgeError('ERR_LINK_FRAME', `the peer names stream ${number}, there is none`)
}
