import { Duplex } from 'node:stream'
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2'
import { codeOf, type LandbridgeError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { authPluginsFor } from './client-auth.ts'
import type { AttemptBudget } from './connect-attempts.ts'
import {
  distrust,
  refusalOf,
  refusePlainText,
  type SqlServer,
  sslOptionsOf,
  withoutTls,
} from './sql-tls.ts'
import { judgeBeforeLogin, type Verdict } from './tls-seam.ts'

/** Where and as whom to log in to a database server, and how it proves to be that server. */
export interface SqlAddress extends SqlServer {
  readonly password: Secret
  /** What all who connect there share; without it each attempt is made at once. */
  readonly attempts?: AttemptBudget
}

type Extra = Pick<
  ConnectionOptions,
  'connectTimeout' | 'bigNumberStrings' | 'connectAttributes' | 'stream'
>

/**
 * Logs in by mysql2, with its greeting, authentication plugins and TLS. The server is verified
 * first, as `address.tls` says: before that nothing secret is sent. Rejects with ERR_SQL_TLS,
 * ERR_SQL_AUTHENTICATION, the driver's error, or the signal's reason. An error between two
 * statements is thrown by the next one, since nobody may be listening when it happens.
 */
export async function sqlConnect(
  address: SqlAddress,
  extra: Extra,
  signal: AbortSignal,
): Promise<Connection> {
  refusePlainText(address)
  signal.throwIfAborted()
  const connect = (reached: () => void): Promise<Connection> => {
    return connectOnce(address, extra, reached, signal)
  }
  return await (address.attempts?.run(connect, signal) ?? connect(() => undefined))
}

async function connectOnce(
  address: SqlAddress,
  extra: Extra,
  reached: () => void,
  signal: AbortSignal,
): Promise<Connection> {
  let refusal: LandbridgeError | null = null
  const authPlugins = authPluginsFor(address, (error) => {
    refusal = error
  })
  const { host, port, user, password } = address
  const ssl = sslOptionsOf(address)
  const connection = createConnection({
    ...{ host, port, user, password: password.reveal(), authPlugins },
    supportBigNumbers: true,
    dateStrings: true,
    ...extra,
    ...(ssl !== null && { ssl }),
  })
  const stream = 'stream' in connection ? connection.stream : null
  if (stream instanceof Duplex) stream.once('connect', reached)
  const verdict: Verdict | null =
    ssl === null
      ? null
      : judgeBeforeLogin(connection, {
          afterHandshake: (socket) => refusalOf(socket, address),
          spokeEarly: () => distrust(address, 'it said more than its greeting before TLS'),
        })
  try {
    await connected(connection, signal)
    if (verdict !== null && !verdict.wasAsked) throw new TypeError('mysql2 asked nobody')
    return connection
  } catch (error) {
    connection.destroy()
    signal.throwIfAborted()
    if (codeOf(error) === 'HANDSHAKE_NO_SSL_SUPPORT') throw withoutTls(address)
    throw verdict?.refusal ?? refusal ?? error
  }
}

/** The server is there, but is not told our password: waiting does not mend that. */
export function isServerRefused(error: unknown): boolean {
  return ['ERR_SQL_TLS', 'ERR_SQL_AUTHENTICATION'].includes(codeOf(error))
}

async function connected(connection: Connection, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = (): void => reject(signal.reason)
  // It stays, so that an error between two statements does not end the process.
  connection.on('error', reject)
  connection.once('connect', () => resolve())
  signal.addEventListener('abort', abort, { once: true })
  try {
    await promise
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
