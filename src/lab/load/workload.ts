import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { Backoff } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { codeOf, describeError, isAbortError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { connectSql } from '../servers/sql-connection.ts'
import {
  ACCOUNTS,
  definitionText,
  LOAD_SCHEMA,
  schemaStatements,
  seededRandom,
  seedStatements,
  transactionText,
} from './workload-statements.ts'

export interface WorkloadOptions {
  readonly socket: string
  readonly flavor: Flavor
  readonly clock: Clock
  readonly writers: number
  readonly transactionsPerSecond: number
  /** Ends after so long or so many, whichever comes first; null is no limit. */
  readonly secondsMax: number | null
  readonly transactionsMax: number | null
  /** Null: the definitions of tables stay as they are. */
  readonly definitionSeconds: number | null
  readonly seed: number
  /** Called for each transaction once the source has acknowledged its commit. */
  readonly onCommit?: (id: number, acknowledgedAtMs: number) => void
}

export interface WorkloadStatus {
  /** Commits that the source has acknowledged. */
  readonly committed: number
  readonly retried: number
  /** The connection ended between COMMIT and its answer: it may have happened or not. */
  readonly unknown: number
  readonly definitionChanges: number
  readonly lastError: string | null
}

/** Sent again, since the server has rolled the whole transaction back. */
const ROLLED_BACK = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD'])

/** Concurrent writers at a steady total rate against the source of a lab. */
export class Workload {
  readonly #options: WorkloadOptions
  #nextId = 1
  #lastId = Number.MAX_SAFE_INTEGER
  #slotMs = 0
  #endsAtMs = Number.POSITIVE_INFINITY
  #status = { committed: 0, retried: 0, unknown: 0, definitionChanges: 0 }
  #lastError: string | null = null

  constructor(options: WorkloadOptions) {
    this.#options = options
  }

  status(): WorkloadStatus {
    return { ...this.#status, lastError: this.#lastError }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, writers, secondsMax, definitionSeconds } = this.#options
    await this.#prepare()
    this.#slotMs = clock.monotonicMs()
    if (secondsMax !== null) this.#endsAtMs = this.#slotMs + secondsMax * 1_000
    const over = new AbortController()
    const redefining =
      definitionSeconds === null
        ? null
        : this.#redefine(definitionSeconds, AbortSignal.any([signal, over.signal]))
    try {
      await Promise.all(Array.from({ length: writers }, (_, writer) => this.#write(writer, signal)))
    } finally {
      over.abort()
      await redefining
    }
  }

  async #prepare(): Promise<void> {
    const connection = await this.#connect()
    try {
      const statements = [...schemaStatements(this.#options.flavor), ...seedStatements(ACCOUNTS)]
      for (const statement of statements) await connection.query(statement)
      const [rows] = await connection.query(`SELECT MAX(id) AS id FROM ${LOAD_SCHEMA}.ledger`)
      this.#nextId = Number((rows as { id: number | null }[])[0]?.id ?? 0) + 1
      const { transactionsMax } = this.#options
      if (transactionsMax !== null) this.#lastId = this.#nextId + transactionsMax - 1
    } finally {
      await connection.end()
    }
  }

  async #connect(): Promise<Connection> {
    const connection = await connectSql({
      socket: this.#options.socket,
      multipleStatements: true,
    })
    // A lost connection also rejects the query at hand; the event alone must not end the process.
    connection.on('error', () => undefined)
    return connection
  }

  async #write(writer: number, signal: AbortSignal): Promise<void> {
    const random = seededRandom(this.#options.seed * 1_000 + writer)
    await this.#keepConnected(signal, async (connection) => {
      for (;;) {
        const id = await this.#nextTransaction(signal)
        if (id === null) return
        await this.#commit(connection, id, transactionText(id, writer, random))
      }
    })
  }

  /** Waits for the next slot of the common rate; null when the load is over. */
  async #nextTransaction(signal: AbortSignal): Promise<number | null> {
    const { clock, transactionsPerSecond } = this.#options
    const nowMs = clock.monotonicMs()
    // What a stall has kept back is not made up for by a burst of more than a second.
    this.#slotMs = Math.max(this.#slotMs, nowMs - 1_000) + 1_000 / transactionsPerSecond
    if (this.#slotMs >= this.#endsAtMs || signal.aborted) return null
    if (this.#nextId > this.#lastId) return null
    const id = this.#nextId
    this.#nextId += 1
    if (this.#slotMs > nowMs + 1) await clock.sleep(this.#slotMs - nowMs, { signal })
    return id
  }

  async #commit(connection: Connection, id: number, text: string): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await connection.query(text)
        this.#status.committed += 1
        this.#options.onCommit?.(id, this.#options.clock.wallMs())
        return
      } catch (error) {
        if (!ROLLED_BACK.has(codeOf(error)) || attempt >= 100) throw error
        this.#status.retried += 1
        await connection.query('ROLLBACK')
      }
    }
  }

  async #redefine(everySeconds: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let sequence = Date.now() % 1_000_000
    await this.#keepConnected(signal, async (connection) => {
      for (;;) {
        if (clock.monotonicMs() + everySeconds * 1_000 >= this.#endsAtMs) return
        await clock.sleep(everySeconds * 1_000, { signal })
        sequence += 1
        await this.#tolerant(connection, definitionText(sequence))
        this.#status.definitionChanges += 1
      }
    })
  }

  /** Dropping what an earlier round did not get to make is no failure. */
  async #tolerant(connection: Connection, text: string): Promise<void> {
    for (const statement of text.split(';')) {
      try {
        await connection.query(statement)
      } catch (error) {
        const code = codeOf(error)
        if (code !== 'ER_CANT_DROP_FIELD_OR_KEY' && !ROLLED_BACK.has(code)) throw error
      }
    }
  }

  /** A source that goes away for a while does not end the load: it goes on when it is back. */
  async #keepConnected(
    signal: AbortSignal,
    work: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    const backoff = new Backoff({ clock: this.#options.clock, capMs: 1_000 })
    for (;;) {
      let connection: Connection | undefined
      try {
        connection = await this.#connect()
        backoff.reset()
        await work(connection)
        return
      } catch (error) {
        if (isAbortError(error) || signal.aborted) return
        if (connection !== undefined) this.#status.unknown += 1
        this.#lastError = describeError(error)
        if (this.#options.clock.monotonicMs() >= this.#endsAtMs) return
        await backoff.wait({ signal }).catch(() => undefined)
      } finally {
        await closeQuietly(connection)
      }
    }
  }
}

async function closeQuietly(connection: Connection | undefined): Promise<void> {
  if (connection === undefined) return
  const timeout = new AbortController()
  await Promise.race([
    connection.end().catch(() => undefined),
    sleep(1_000, undefined, { signal: timeout.signal }).catch(() => undefined),
  ])
  timeout.abort()
  connection.destroy()
}
