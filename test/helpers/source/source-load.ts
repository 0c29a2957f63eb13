import { setTimeout as sleep } from 'node:timers/promises'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'

const WORKERS = 3

/** Small transactions of changing sizes from several sessions, also over a source that restarts. */
export class SourceLoad {
  readonly #socket: () => string
  readonly #random: () => number
  #stopping: AbortController | null = null
  #running: Promise<unknown> = Promise.resolve()
  transactions = 0

  constructor(socket: () => string, random: () => number) {
    this.#socket = socket
    this.#random = random
  }

  async create(): Promise<void> {
    const sql = await connectSql({ socket: this.#socket() })
    await sql.query('CREATE DATABASE load_test')
    for (let worker = 0; worker < WORKERS; worker += 1) {
      await sql.query(
        `CREATE TABLE load_test.t${worker} (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)`,
      )
    }
    await sql.end()
  }

  start(): void {
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    const workers = Array.from({ length: WORKERS }, (_, worker) => this.#work(worker, signal))
    this.#running = Promise.all(workers)
  }

  async stop(): Promise<void> {
    this.#stopping?.abort()
    await this.#running
  }

  async #work(worker: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // The source may be away: then it is tried again.
      await this.#session(worker, signal).catch(() => sleep(50))
    }
  }

  async #session(worker: number, signal: AbortSignal): Promise<void> {
    const sql = await connectSql({ socket: this.#socket() })
    sql.on('error', () => undefined)
    try {
      while (!signal.aborted) {
        const bytes = Math.floor(10 ** (1 + this.#random() * 5))
        await sql.query('BEGIN')
        await sql.query(`INSERT INTO load_test.t${worker} (v) VALUES (REPEAT('v', ${bytes}))`)
        await sql.query(`UPDATE load_test.t${worker} SET v = 'w' WHERE id % 97 = 3`)
        await sql.query(this.#random() < 0.1 ? 'ROLLBACK' : 'COMMIT')
        this.transactions += 1
        await sleep(this.#random() * 20)
      }
    } finally {
      sql.destroy()
    }
  }
}
