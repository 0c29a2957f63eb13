import type { TLSSocket } from 'node:tls'
import { createConnection } from 'mysql2'
import { LandbridgeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import { plainLine } from '../base/plain-text.ts'
import { judgeBeforeLogin } from './tls-seam.ts'

/** What a server shows of itself in a TLS handshake. Text of others: for people, and cleaned. */
export interface PresentedCertificate {
  readonly fingerprint: string
  readonly subject: string
  readonly issuer: string
  readonly validTo: string
}

const CONNECT_MS = 10_000
const TEXT_CHARS_MAX = 200

/**
 * Looks at a server's certificate, verifies nothing and logs in nowhere: the connection ends before
 * a user is named. Null where it shows none. Rejects with the signal's reason.
 */
export async function presentedCertificate(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<PresentedCertificate | null> {
  signal.throwIfAborted()
  const ssl = { rejectUnauthorized: false, minVersion: 'TLSv1.2' }
  const connection = createConnection({ host, port, user: '', ssl, connectTimeout: CONNECT_MS })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let presented: PresentedCertificate | null = null
  const enough = (): LandbridgeError =>
    new LandbridgeError('ERR_SQL_TLS', 'only its certificate was wanted')
  const afterHandshake = (socket: TLSSocket): LandbridgeError => {
    presented = describe(socket)
    return enough()
  }
  judgeBeforeLogin(connection, { afterHandshake, spokeEarly: enough })
  const abort = (): void => reject(signal.reason)
  connection.on('error', () => resolve())
  connection.once('connect', () => reject(new TypeError('mysql2 logged in')))
  signal.addEventListener('abort', abort, { once: true })
  try {
    await promise
    return presented
  } finally {
    signal.removeEventListener('abort', abort)
    connection.destroy()
  }
}

function describe(socket: TLSSocket): PresentedCertificate | null {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return null
  return {
    fingerprint: publicKeyFingerprint(certificate.publicKey),
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    validTo: oneLine(certificate.validTo),
  }
}

/** A name has a line for each of its parts; without any, Node says undefined. */
function oneLine(text: string | undefined): string {
  return plainLine((text ?? '').trim().replaceAll('\n', ', ')).slice(0, TEXT_CHARS_MAX)
}
