import { type Connection, type ConnectionOptions, createConnection, type SslOptions } from 'mysql2'
import { codeOf } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

/** Where and as whom to log in to a database server. */
export interface SqlAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret
  readonly tls: {
    /** `preferred`: with TLS where the server has it, its certificate unchecked. */
    readonly mode: 'off' | 'preferred' | 'required' | 'verify-ca' | 'verify-identity'
    readonly caPem: string | null
  }
}

/**
 * Logs in by mysql2, with its greeting, authentication plugins and TLS. Rejects with the driver's
 * error, or with the signal's reason. An error between two statements is thrown by the next one,
 * since nobody may be listening when it happens.
 */
export async function sqlConnect(
  address: SqlAddress,
  extra: Pick<
    ConnectionOptions,
    'connectTimeout' | 'bigNumberStrings' | 'connectAttributes' | 'stream'
  >,
  signal: AbortSignal,
): Promise<Connection> {
  const ssl = sslOf(address)
  try {
    return await connectOnce(address, ssl, extra, signal)
  } catch (error) {
    const isPlainOnly = codeOf(error) === 'HANDSHAKE_NO_SSL_SUPPORT'
    if (address.tls.mode !== 'preferred' || !isPlainOnly) throw error
    return await connectOnce(address, null, extra, signal)
  }
}

async function connectOnce(
  { host, port, user, password }: SqlAddress,
  ssl: SslOptions | null,
  extra: ConnectionOptions,
  signal: AbortSignal,
): Promise<Connection> {
  signal.throwIfAborted()
  const connection = createConnection({
    host,
    port,
    user,
    password: password.reveal(),
    supportBigNumbers: true,
    dateStrings: true,
    ...extra,
    ...(ssl === null ? {} : { ssl }),
  })
  const connected = Promise.withResolvers<void>()
  const abort = (): void => connected.reject(signal.reason)
  connection.on('error', connected.reject)
  connection.once('connect', () => connected.resolve())
  signal.addEventListener('abort', abort, { once: true })
  try {
    await connected.promise
    return connection
  } catch (error) {
    connection.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function sslOf({ tls }: SqlAddress): SslOptions | null {
  if (tls.mode === 'off') return null
  return {
    rejectUnauthorized: tls.mode === 'verify-ca' || tls.mode === 'verify-identity',
    verifyIdentity: tls.mode === 'verify-identity',
    minVersion: 'TLSv1.2',
    ...(tls.caPem === null ? {} : { ca: tls.caPem }),
  }
}
