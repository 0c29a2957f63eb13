import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Connection } from 'mysql2'
import type { LandbridgeError } from '../base/errors.ts'
import { PACKET_HEADER_BYTES } from './packet-decoder.ts'

export interface Verdict {
  /** False: the driver went on without asking, and nothing it says may be believed. */
  readonly wasAsked: boolean
  readonly refusal: LandbridgeError | null
}

export interface Judge {
  /** Why the server at the other end is not believed; null if it is. */
  readonly afterHandshake: (socket: TLSSocket) => LandbridgeError | null
  /** For a server that says more than its greeting before TLS. */
  readonly spokeEarly: () => LandbridgeError
}

/**
 * Puts `judge` between the TLS handshake of the driver and its login: a server that is refused is
 * told nothing. The driver has no setting for it, so its inner step is wrapped; whoever connects
 * looks afterwards whether the judge was asked.
 *
 * The driver would also answer packets that came in clear behind the greeting, with the password
 * if they ask for it, and into the TLS connection before its server is judged. No server sends any.
 */
export function judgeBeforeLogin(connection: Connection, judge: Judge): Verdict {
  if (!hasStartTls(connection)) throw new TypeError('mysql2 hides its TLS')
  const { stream } = connection
  if (!(stream instanceof Duplex)) throw new TypeError('mysql2 hides its stream')
  const verdict: { wasAsked: boolean; refusal: LandbridgeError | null } = {
    wasAsked: false,
    refusal: null,
  }
  watchGreeting(stream, () => {
    verdict.refusal = judge.spokeEarly()
    stream.destroy(new Error(verdict.refusal.message))
  })
  const startTls = connection.startTLS.bind(connection)
  connection.startTLS = (onSecure) =>
    startTls((error) => {
      const socket = connection.stream
      if (!(socket instanceof TLSSocket)) throw new TypeError('mysql2 hides its stream')
      const isBroken = Boolean(error) && !socket.authorizationError
      if (!isBroken) {
        verdict.wasAsked = true
        verdict.refusal ??= judge.afterHandshake(socket)
      }
      const refused = verdict.refusal && new Error(verdict.refusal.message)
      onSecure(error ?? refused ?? undefined)
    })
  return verdict
}

/** Before the driver reads it. The driver takes its listeners off, and this, when TLS begins. */
function watchGreeting(stream: Duplex, onMore: () => void): void {
  let length = Buffer.alloc(0)
  let bytes = 0
  stream.prependListener('data', (chunk: Buffer) => {
    if (length.length < 3) length = Buffer.concat([length, chunk]).subarray(0, 3)
    bytes += chunk.length
    if (length.length === 3 && bytes > PACKET_HEADER_BYTES + length.readUIntLE(0, 3)) onMore()
  })
}

interface TlsUpgrade {
  /** After the client's SSLRequest; `onSecure` without an error sends the login. */
  startTLS(onSecure: (error?: Error) => void): void
  readonly stream: unknown
}

function hasStartTls(connection: object): connection is TlsUpgrade {
  return 'startTLS' in connection && typeof connection.startTLS === 'function'
}
