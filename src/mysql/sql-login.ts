import { Socket } from 'node:net'
import type { Connection, RowDataPacket } from 'mysql2'
import { codeOf, describeError, isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import { type SqlAddress, sqlConnect } from './sql-connect.ts'

export interface SqlLoginOptions extends SqlAddress {
  /** What it is, for error texts: `replica`, `relay`. */
  readonly role: string
}

export type SqlRow = Readonly<Record<string, unknown>>

const CONNECT_MS = 10_000
const QUERY_MS = 30_000

/** A login at a database server for a handful of statements: what a person would type. */
export class SqlLogin {
  /** That of this machine towards the server; null where the connection has ended already. */
  readonly localAddress: string | null
  readonly #connection: Connection
  readonly #role: string

  private constructor(connection: Connection, role: string) {
    this.#connection = connection
    this.#role = role
    this.localAddress = localAddressOf(connection)
  }

  /** Throws ERR_SQL_LOGIN with the driver's error as cause, ERR_SQL_TLS, ERR_SQL_AUTHENTICATION. */
  static async open(options: SqlLoginOptions, signal: AbortSignal): Promise<SqlLogin> {
    try {
      const connection = await sqlConnect(options, { connectTimeout: CONNECT_MS }, signal)
      return new SqlLogin(connection, options.role)
    } catch (error) {
      signal.throwIfAborted()
      throw isLandbridgeError(error) ? error : loginFailed(options, error)
    }
  }

  /** Throws ERR_SQL_STATEMENT; `shown` replaces the statement where it holds a secret. */
  async query(sql: string, shown = sql): Promise<SqlRow[]> {
    try {
      const query = { sql, timeout: QUERY_MS }
      const [rows] = await this.#connection.promise().query<RowDataPacket[]>(query)
      return Array.isArray(rows) ? rows : []
    } catch (error) {
      throw new LandbridgeError('ERR_SQL_STATEMENT', `the ${this.#role} refuses: ${shown}`, {
        // mysql2 puts the statement into its error, and with it a password: only the text goes on.
        cause: new Error(shown === sql ? describeError(error) : withoutWords(error)),
        details: { errno: numberOf(error) },
      })
    }
  }

  /** The first row's values; null for none. */
  async row(sql: string): Promise<SqlRow | null> {
    const [first] = await this.query(sql)
    return first ?? null
  }

  close(): void {
    this.#connection.destroy()
  }
}

function localAddressOf(connection: Connection): string | null {
  const stream = 'stream' in connection ? connection.stream : null
  return stream instanceof Socket ? (stream.localAddress ?? null) : null
}

function loginFailed(options: SqlLoginOptions, cause: unknown): LandbridgeError {
  const { role, host, port, user } = options
  const where = `${user}@${host}:${port}`
  return new LandbridgeError('ERR_SQL_LOGIN', `cannot log in to the ${role} as ${where}`, {
    cause,
    retryable: true,
    remedy:
      `See that it runs at ${host}:${port} and takes this user, and look at password file and ` +
      'TLS mode in the configuration.',
    details: { role, host, port, user, errno: numberOf(cause) },
  })
}

/** Of a statement that holds a secret: the server quotes it, in each language otherwise. */
function withoutWords(error: unknown): string {
  const state = error instanceof Error && 'sqlState' in error ? error.sqlState : undefined
  if (typeof state !== 'string') return codeOf(error)
  const which = `error ${numberOf(error)}, SQL state ${state}`
  return `${which}; the server's words are left out, since they may quote the secret`
}

function numberOf(error: unknown): number | null {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    return error.errno
  }
  return null
}
