import { TLSSocket } from 'node:tls'
import type { Connection } from 'mysql2'
import type { LandbridgeError } from '../base/errors.ts'

export interface Verdict {
  /** False: the driver went on without asking, and nothing it says may be believed. */
  readonly wasAsked: boolean
  readonly refusal: LandbridgeError | null
}

/**
 * Puts `judge` between the TLS handshake of the driver and its login: a server that is refused is
 * told nothing. The driver has no setting for it, so its inner step is wrapped; whoever connects
 * looks afterwards whether the judge was asked.
 */
export function judgeBeforeLogin(
  connection: Connection,
  judge: (socket: TLSSocket) => LandbridgeError | null,
): Verdict {
  if (!hasStartTls(connection)) throw new TypeError('mysql2 hides its TLS')
  const verdict: { wasAsked: boolean; refusal: LandbridgeError | null } = {
    wasAsked: false,
    refusal: null,
  }
  const startTls = connection.startTLS.bind(connection)
  connection.startTLS = (onSecure) =>
    startTls((error) => {
      const socket = connection.stream
      if (!(socket instanceof TLSSocket)) throw new TypeError('mysql2 hides its stream')
      const isBroken = Boolean(error) && !socket.authorizationError
      if (!isBroken) {
        verdict.wasAsked = true
        verdict.refusal = judge(socket)
      }
      const refused = verdict.refusal && new Error(verdict.refusal.message)
      onSecure(error ?? refused ?? undefined)
    })
  return verdict
}

interface TlsUpgrade {
  /** After the client's SSLRequest; `onSecure` without an error sends the login. */
  startTLS(onSecure: (error?: Error) => void): void
  readonly stream: unknown
}

function hasStartTls(connection: object): connection is TlsUpgrade {
  return 'startTLS' in connection && typeof connection.startTLS === 'function'
}
