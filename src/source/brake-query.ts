import { LandbridgeError } from '../base/errors.ts'
import { type SourceAddress, SourceConnection } from './source-connection.ts'

export interface BrakeQueryOptions {
  readonly address: SourceAddress
  readonly sql: string
  readonly timeoutMs: number
}

/**
 * Asks the source one query again and again, on a connection of its own that is kept. The server
 * itself ends a query that takes too long: what nobody waits for must not go on there.
 */
export class BrakeQuery {
  readonly #options: BrakeQueryOptions
  #connection: SourceConnection | null = null

  constructor(options: BrakeQueryOptions) {
    this.#options = options
  }

  /** The number that it answers. Throws ERR_BRAKE_ANSWER for anything else, and on abort. */
  async ask(signal: AbortSignal): Promise<number> {
    try {
      this.#connection ??= await this.#open(signal)
      const connection = this.#connection
      const abort = (): void => connection.close()
      signal.addEventListener('abort', abort, { once: true })
      try {
        signal.throwIfAborted()
        return numberOf(await connection.value(this.#options.sql))
      } finally {
        signal.removeEventListener('abort', abort)
      }
    } catch (error) {
      this.close()
      throw signal.aborted ? signal.reason : error
    }
  }

  close(): void {
    this.#connection?.close()
    this.#connection = null
  }

  async #open(signal: AbortSignal): Promise<SourceConnection> {
    const { address, timeoutMs } = this.#options
    // `signal` is of one look; the connection is for many.
    const lasting = new AbortController()
    const abort = (): void => lasting.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const connection = await SourceConnection.open(address, lasting.signal)
      const version = (await connection.value('SELECT @@version')) ?? ''
      const limit = /mariadb/i.test(version)
        ? `max_statement_time = ${timeoutMs / 1000}`
        : `max_execution_time = ${timeoutMs}`
      await connection.query(`SET SESSION ${limit}, SESSION autocommit = 1`)
      return connection
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}

function numberOf(value: string | null): number {
  const number = Number(value ?? Number.NaN)
  if (value !== null && value.trim() !== '' && !Number.isNaN(number)) return number
  const shown = value === null ? 'nothing, or NULL' : `"${value.slice(0, 60)}"`
  throw new LandbridgeError('ERR_BRAKE_ANSWER', `the query answers ${shown}, which is no number`, {
    retryable: true,
    remedy: 'Let `brake.query` answer one number: 0 to let pass, anything else to brake.',
  })
}
