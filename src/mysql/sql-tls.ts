import { isIP } from 'node:net'
import { checkServerIdentity, type TLSSocket } from 'node:tls'
import type { SslOptions } from 'mysql2'
import { LandbridgeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import { isLoopback } from '../base/loopback.ts'
import type { Secret } from '../base/secret.ts'

/** How a database server proves who it is, before it is told anything secret. */
export interface SqlTls {
  /**
   * `verify-identity`: an authority that is trusted, and the name or address that was dialled.
   * `verify-ca`: the authority alone. `pinned`: the key of `fingerprint`, whoever signed it.
   * `unverified`: encrypted towards whoever answers. `off`: without TLS.
   */
  readonly mode: 'verify-identity' | 'verify-ca' | 'pinned' | 'unverified' | 'off'
  /** The authorities that are trusted; null: those that Node trusts. */
  readonly caPem: string | null
  /** `sha256:` and 64 hex digits over the server's public key (SubjectPublicKeyInfo). */
  readonly fingerprint?: string | null
  /** What proves us to a server that wants a certificate (REQUIRE X509). */
  readonly client?: { readonly certificatePem: string; readonly privateKeyPem: Secret } | null
  /** With `off`, a login elsewhere than on this machine is refused unless this is true. */
  readonly allowPasswordWithoutTls?: boolean
}

export interface SqlServer {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly tls: SqlTls
}

/**
 * Throws ERR_SQL_TLS where a password would travel unprotected: in clear, encrypted for a key that
 * anybody could have sent, or as a hash that can be guessed at leisure.
 */
export function refusePlainText(server: SqlServer): void {
  const { host, port, tls } = server
  if (tls.mode !== 'off' || tls.allowPasswordWithoutTls === true || isLoopback(host)) return
  throw tlsError(
    server,
    `no password is sent to ${host}:${port} without TLS`,
    'Take `mode: off` out of the `tls` section; only where nobody else can be on the path, ' +
      'say `allowPasswordWithoutTls: true`.',
  )
}

/** For the driver, which verifies what it can by itself; null for a connection without TLS. */
export function sslOptionsOf({ host, tls }: SqlServer): SslOptions | null {
  const { mode, caPem, client } = tls
  if (mode === 'off') return null
  return {
    rejectUnauthorized: mode === 'verify-ca' || mode === 'verify-identity',
    // Of an address the driver would compare another name: `refusalOf` looks at those.
    verifyIdentity: mode === 'verify-identity' && isIP(host) === 0,
    minVersion: 'TLSv1.2',
    ...(caPem !== null && { ca: caPem }),
    ...(client && { cert: client.certificatePem, key: client.privateKeyPem.reveal() }),
  }
}

/** Why the server at the other end of this socket is not believed; null if it is. */
export function refusalOf(socket: TLSSocket, server: SqlServer): LandbridgeError | null {
  const { mode, fingerprint } = server.tls
  if (mode === 'unverified') return null
  if (mode === 'pinned') {
    const certificate = socket.getPeerX509Certificate()
    const found = certificate === undefined ? null : publicKeyFingerprint(certificate.publicKey)
    if (found !== null && found === fingerprint) return null
    return distrust(server, `its key is ${found ?? 'not shown'}, not the pinned one`)
  }
  // With a reason the driver has ended the connection already.
  if (!socket.authorized) return distrust(server, String(socket.authorizationError))
  if (mode === 'verify-ca') return null
  const mismatch = checkServerIdentity(server.host, socket.getPeerCertificate())
  return mismatch === undefined ? null : distrust(server, 'its certificate is of another name')
}

export function withoutTls(server: SqlServer): LandbridgeError {
  return tlsError(
    server,
    `the database at ${server.host}:${server.port} offers no TLS: no password was sent`,
    'Give the database a certificate (`ssl_cert`, `ssl_key`), or find out who answers in its ' +
      'place. Only where nobody else can be on the path: ' +
      '`tls: { mode: off, allowPasswordWithoutTls: true }`.',
  )
}

/** A server that does not prove who it is. */
export function distrust(server: SqlServer, reason: string): LandbridgeError {
  const { host, port, tls } = server
  return tlsError(
    server,
    `the database at ${host}:${port} does not prove who it is (${tls.mode}): ${reason}`,
    '`landbridge check` shows the certificate that it presents, and the line that pins it; ' +
      '`ca` in the `tls` section names the authority that signed it.',
  )
}

function tlsError(server: SqlServer, message: string, remedy: string): LandbridgeError {
  const { host, port, user, tls } = server
  return new LandbridgeError('ERR_SQL_TLS', message, {
    remedy,
    details: { host, port, user, mode: tls.mode },
  })
}
