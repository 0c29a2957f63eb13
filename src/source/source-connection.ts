import { Duplex } from 'node:stream'
import type { Connection, RowDataPacket } from 'mysql2'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import { isCrowded } from '../mysql/connect-attempts.ts'
import { type SqlAddress, sqlConnect } from '../mysql/sql-connect.ts'
import { SourceSocket } from './source-socket.ts'

export type SourceAddress = SqlAddress

export type SourceRow = Readonly<Record<string, unknown>>

const LOGIN_OPTIONS = {
  connectTimeout: 10_000,
  bigNumberStrings: true,
  connectAttributes: { program_name: 'landbridge', _client_role: 'binary_log_listener' },
}
const QUERY_MS = 30_000

/**
 * A login at the source. mysql2 does greeting, authentication, TLS and result sets; once the dump
 * begins, `takeSocket` hands over the bare stream and mysql2 is out of the way.
 */
export class SourceConnection {
  readonly #connection: Connection
  readonly #address: SourceAddress
  readonly #socket: SourceSocket | null
  readonly #signal: AbortSignal
  readonly #closed = Promise.withResolvers<never>()
  readonly #abort = (): void => this.close()
  #failure: Error | null = null

  private constructor(
    connection: Connection,
    address: SourceAddress,
    socket: SourceSocket | null,
    signal: AbortSignal,
  ) {
    this.#connection = connection
    this.#address = address
    this.#socket = socket
    this.#signal = signal
    this.#closed.promise.catch(() => undefined)
    signal.addEventListener('abort', this.#abort, { once: true })
    connection.on('error', (error) => {
      this.#failure ??= error
    })
  }

  /** Closed by `signal` too, so that no query to a server that hangs outlives it. */
  static async open(address: SourceAddress, signal: AbortSignal): Promise<SourceConnection> {
    let socket: SourceSocket | null = null
    const stream = (): Duplex => {
      socket = new SourceSocket(address.host, address.port)
      return socket.socket
    }
    try {
      const connection = await sqlConnect(address, { ...LOGIN_OPTIONS, stream }, signal)
      return new SourceConnection(connection, address, socket, signal)
    } catch (cause) {
      signal.throwIfAborted()
      throw connectFailed(address, cause)
    }
  }

  /** Rows of one statement. Throws ERR_SOURCE_QUERY with the server's own code in `details`. */
  async query(sql: string): Promise<SourceRow[]> {
    if (this.#failure !== null) throw connectFailed(this.#address, this.#failure)
    const answer = new Promise<SourceRow[]>((resolve, reject) => {
      this.#connection.query<RowDataPacket[]>({ sql, timeout: QUERY_MS }, (error, rows) => {
        if (error === null) resolve(Array.isArray(rows) ? rows : [])
        else reject(queryFailed(sql, error))
      })
    })
    return await Promise.race([answer, this.#closed.promise])
  }

  /** The first value of the first row as text; null when there is none. */
  async value(sql: string): Promise<string | null> {
    const [row] = await this.query(sql)
    const [value] = row === undefined ? [] : Object.values(row)
    return value === undefined || value === null ? null : String(value)
  }

  /**
   * The socket below, with nobody else listening. The caller now closes it. The chunks it reads
   * are valid only while their `data` event is handled.
   */
  takeSocket(): Duplex {
    const stream = this.#stream()
    this.#signal.removeEventListener('abort', this.#abort)
    stream.removeAllListeners('data')
    stream.pause()
    this.#socket?.shareBuffer()
    return stream
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#connection.destroy()
    // mysql2 only says goodbye and never answers what was asked: a dead server would keep both.
    this.#stream().destroy()
    this.#closed.reject(connectFailed(this.#address, new Error('closed by this gateway')))
  }

  #stream(): Duplex {
    const stream = 'stream' in this.#connection ? this.#connection.stream : null
    if (!(stream instanceof Duplex)) throw new TypeError('mysql2 hides its stream')
    return stream
  }
}

const ACCESS_DENIED = 1045
const HOST_BLOCKED = 1129

function connectFailed(address: SourceAddress, cause: unknown): LandbridgeError {
  // A server that is not believed, or that asks for what cannot be answered: it says so itself.
  if (isLandbridgeError(cause)) return cause
  const where = `${address.user}@${address.host}:${address.port}`
  if (serverNumber(cause) === ACCESS_DENIED) {
    return new LandbridgeError('ERR_SOURCE_LOGIN', `the source refuses the login ${where}`, {
      cause,
      retryable: true,
      remedy: `Check the password file, or create the user: see "Source" in gateway/README.md.`,
    })
  }
  if (isCrowded(serverNumber(cause))) return crowded(`the source takes no login of ${where}`, cause)
  const remedy =
    serverNumber(cause) === HOST_BLOCKED
      ? 'Mend what made so many logins fail, then TRUNCATE TABLE performance_schema.host_cache ' +
        '(MariaDB: FLUSH HOSTS) at the source.'
      : 'See that the database runs and that port, TLS mode, CA and certificate are right ' +
        '(`landbridge check` at the production gateway). It is tried again by itself, ever more ' +
        'rarely where a person has to act; a restart of the gateway tries at once.'
  const message = `cannot connect to the source ${where}`
  return new LandbridgeError('ERR_SOURCE_CONNECT', message, { cause, retryable: true, remedy })
}

/** The server, or the login, has as many connections as it may. */
export function crowded(message: string, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_SOURCE_CONNECTIONS', message, {
    cause,
    retryable: true,
    remedy:
      'Let the login open three connections at once: ALTER USER ... WITH MAX_USER_CONNECTIONS 0 ' +
      'at the source; or raise max_user_connections or max_connections, as its message says.',
  })
}

function queryFailed(sql: string, cause: Error): LandbridgeError {
  return new LandbridgeError('ERR_SOURCE_QUERY', `the source refuses: ${sql.slice(0, 200)}`, {
    cause,
    retryable: true,
    details: { errno: serverNumber(cause) },
  })
}

/** The MySQL error number of a driver error, of a LandbridgeError's cause too; null if none. */
export function serverNumber(error: unknown): number | null {
  const cause = error instanceof LandbridgeError ? error.cause : error
  if (cause instanceof Error && 'errno' in cause && typeof cause.errno === 'number') {
    return cause.errno
  }
  return null
}

const PRIVILEGE_MISSING = 1227

/** What a statement answers; null when the login lacks the privilege for it. */
export async function ifAllowed<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (serverNumber(error) === PRIVILEGE_MISSING) return null
    throw error
  }
}
