import type { RowDataPacket } from 'mysql2/promise'
import { expect } from 'vitest'
import type { SiteServer } from './site-servers.ts'

const WRITERS = 3

/**
 * Applications that write numbers, and remember which of them were acknowledged. The table has no
 * key, so that a transaction that came twice is there twice.
 */
export class Ledger {
  readonly #database: string
  readonly #acknowledged: number[] = []
  #next = 0
  #stopWriting: () => Promise<void> = async () => undefined

  constructor(database = 'app') {
    this.#database = database
  }

  get acknowledged(): number {
    return this.#acknowledged.length
  }

  /** At the origin, once. */
  async create(origin: SiteServer): Promise<void> {
    const database = this.#database
    await origin.within((sql) =>
      sql.query(`CREATE DATABASE ${database}; CREATE TABLE ${database}.ledger (n INT)`),
    )
  }

  /** Begins to write to one server, until `stop`. */
  write(place: SiteServer): void {
    let isOver = false
    const writer = async (): Promise<void> => {
      const connection = await place.sql()
      while (!isOver) {
        const n = this.#next
        this.#next += 1
        await connection.query(`INSERT INTO ${this.#database}.ledger VALUES (${n})`)
        this.#acknowledged.push(n)
      }
      connection.destroy()
    }
    const writers = Array.from({ length: WRITERS }, () => writer())
    this.#stopWriting = async () => {
      isOver = true
      await Promise.all(writers)
    }
  }

  async stop(): Promise<void> {
    await this.#stopWriting()
    this.#stopWriting = async () => undefined
  }

  /** Everything that was acknowledged is there, once. */
  async expectIn(place: SiteServer): Promise<void> {
    const stored = await place.within(async (sql) => {
      const [rows] = await sql.query<RowDataPacket[]>(
        `SELECT n FROM ${this.#database}.ledger ORDER BY n`,
      )
      return rows.map(({ n }) => Number(n))
    })
    expect(stored).toEqual([...this.#acknowledged].sort((a, b) => a - b))
  }
}
