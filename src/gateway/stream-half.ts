import type { Channel } from '../link/channel.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { Problem, RefusedStatus, StreamStatus } from '../status/status.ts'
import type { StreamThrottle } from './throttle/stream-throttle.ts'

/** What a half says of its stream; role and term are the stream's own. */
export type HalfStatus = Omit<StreamStatus, 'role' | 'term'>

/** What a site does for a stream in one term. */
export interface StreamHalf {
  readonly role: StreamStatus['role']
  /** At the origin, where it is held back; else null. */
  readonly throttle: StreamThrottle | null
  /** Runs until abort; settles when all sockets and files are closed. */
  run(signal: AbortSignal): Promise<void>
  status(): HalfStatus
  problems(): Problem[]
  /** Connections that its doors turned away. */
  refused(): RefusedStatus[]
  /** Its end of a session with `peer`, in which frames name the stream by `number`. */
  session(channel: Channel, number: number, peer: string): SessionBody
  /**
   * Keeps nothing any more for `replica`, by its key. False when nothing was kept. Throws ERR_USAGE
   * where no replica is served.
   */
  releaseReplica(replica: string): Promise<boolean>
}
