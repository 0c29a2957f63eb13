import type { Channel } from '../link/channel.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { Problem, RefusedStatus, StreamStatus } from '../status/status.ts'

/** What a site does for a stream, for as long as its role there lasts. */
export interface StreamHalf {
  /** The stream's, the same at every site. */
  readonly name: string
  /** Runs until abort; settles when all sockets and files are closed. */
  run(signal: AbortSignal): Promise<void>
  status(): StreamStatus
  problems(): Problem[]
  /** Connections that its doors turned away. */
  refused(): RefusedStatus[]
  /** Its end of a session of the link, in which the stream has the number `stream`. */
  session(channel: Channel, stream: number): SessionBody
  /** What the peer says in its hello: whether it has this stream too. */
  namedByPeer(isNamed: boolean): void
  /**
   * Keeps nothing any more for `replica`, by its key. False when nothing was kept. Throws ERR_USAGE
   * where no replica is served.
   */
  releaseReplica(replica: string): Promise<boolean>
}
