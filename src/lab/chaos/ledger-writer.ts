import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { Backoff } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { codeOf, isAbortError } from '../../base/errors.ts'
import { seededRandom } from '../load/workload-statements.ts'
import { connectSql } from '../servers/sql-connection.ts'
import { ledgerSchema, ledgerTransaction } from './ledger-statements.ts'

export interface LedgerWriterOptions {
  readonly socket: string
  readonly clock: Clock
  readonly writers: number
  readonly transactionsPerSecond: number
  readonly seed: number
}

/** What became of each transaction, as far as its writer was told. */
export interface Ledger {
  /** The source answered the COMMIT: it must be everywhere, once. */
  readonly acknowledged: ReadonlySet<number>
  /** COMMIT was sent, the answer did not come: it may have happened, once. */
  readonly unknown: ReadonlySet<number>
  /** COMMIT was never sent: it must be nowhere. */
  readonly abandoned: ReadonlySet<number>
}

/** Sent again, since the server has rolled the whole transaction back. */
const ROLLED_BACK = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD'])
const CLOSE_MS = 1_000

/** Concurrent writers at the source of a lab which remember what it acknowledged. */
export class LedgerWriter {
  readonly #options: LedgerWriterOptions
  readonly #acknowledged = new Set<number>()
  readonly #unknown = new Set<number>()
  readonly #abandoned = new Set<number>()
  #nextId = 1
  #slotMs = 0

  constructor(options: LedgerWriterOptions) {
    this.#options = options
  }

  get ledger(): Ledger {
    return {
      acknowledged: this.#acknowledged,
      unknown: this.#unknown,
      abandoned: this.#abandoned,
    }
  }

  async prepare(): Promise<void> {
    const connection = await this.#connect()
    try {
      for (const statement of ledgerSchema()) await connection.query(statement)
    } finally {
      await closeQuietly(connection)
    }
  }

  /** Writes until abort; then every transaction that was begun is still finished. */
  async run(signal: AbortSignal): Promise<void> {
    this.#slotMs = this.#options.clock.monotonicMs()
    const { writers } = this.#options
    await Promise.all(Array.from({ length: writers }, (_, writer) => this.#write(writer, signal)))
  }

  async #write(writer: number, signal: AbortSignal): Promise<void> {
    const { seed, clock } = this.#options
    const random = seededRandom(seed * 1_000 + writer)
    const backoff = new Backoff({ clock, firstMs: 50, capMs: 500 })
    while (!signal.aborted) {
      let connection: Connection | undefined
      try {
        connection = await this.#connect()
        backoff.reset()
        while (!signal.aborted) {
          const id = await this.#turn(signal)
          await this.#transaction(connection, id, ledgerTransaction(id, writer, random))
        }
      } catch (error) {
        if (isAbortError(error)) return
        // The source went away; what that means for the transaction at hand is noted already.
        await backoff.wait({ signal }).catch(() => undefined)
      } finally {
        await closeQuietly(connection)
      }
    }
  }

  /** Waits for the next slot of the common rate. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { clock, transactionsPerSecond } = this.#options
    const nowMs = clock.monotonicMs()
    this.#slotMs = Math.max(this.#slotMs, nowMs - 1_000) + 1_000 / transactionsPerSecond
    if (this.#slotMs > nowMs + 1) await clock.sleep(this.#slotMs - nowMs, { signal })
    const id = this.#nextId
    this.#nextId += 1
    return id
  }

  async #transaction(connection: Connection, id: number, text: string): Promise<void> {
    try {
      await this.#fill(connection, text)
    } catch (error) {
      this.#abandoned.add(id)
      throw error
    }
    try {
      await connection.query('COMMIT')
    } catch (error) {
      this.#unknown.add(id)
      throw error
    }
    this.#acknowledged.add(id)
  }

  async #fill(connection: Connection, text: string): Promise<void> {
    for (;;) {
      try {
        await connection.query(text)
        return
      } catch (error) {
        if (!ROLLED_BACK.has(codeOf(error))) throw error
        await connection.query('ROLLBACK')
      }
    }
  }

  async #connect(): Promise<Connection> {
    const { socket } = this.#options
    const connection = await connectSql({ socket, multipleStatements: true })
    // A lost connection also rejects the query at hand; the event alone must not end the process.
    connection.on('error', () => undefined)
    return connection
  }
}

export async function closeQuietly(connection: Connection | undefined): Promise<void> {
  if (connection === undefined) return
  const closed = new AbortController()
  await Promise.race([
    connection.end().catch(() => undefined),
    sleep(CLOSE_MS, undefined, { signal: closed.signal }).catch(() => undefined),
  ])
  closed.abort()
  connection.destroy()
}
