import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../../src/base/flavor.ts'
import { type GtidSet, parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import type { GatewayStatus } from '../../../src/status/status.ts'
import type { ReplicatedPair } from './replicated-pair.ts'

/** What was really missing at the moment of a status. */
export interface Truth {
  readonly transactions: number
  /** Age of the oldest commit that was acknowledged and is not synced; 0: there is none. */
  readonly ms: number
}

/**
 * Applications that commit at a steady rate and write down when each commit was acknowledged.
 * Nobody else may write. What of it is synced says the GTID set of a status, which is a fact.
 */
export class CommitLedger {
  readonly #flavor: Flavor
  readonly #before: GtidSet
  readonly #connections: readonly Connection[]
  /** Wall clock of the machine, in the order of acknowledgement. */
  readonly #acknowledgedMs: number[] = []
  #writing: Promise<unknown> = Promise.resolve()
  #isOver = true

  private constructor(flavor: Flavor, before: GtidSet, connections: readonly Connection[]) {
    this.#flavor = flavor
    this.#before = before
    this.#connections = connections
  }

  /** All that the source has so far is synced when it settles. */
  static async create(pair: ReplicatedPair, writers: number): Promise<CommitLedger> {
    const sql = await pair.sql()
    await sql.query(
      'CREATE DATABASE ledger;' +
        'CREATE TABLE ledger.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)',
    )
    await pair.synced()
    const status = await pair.pair.status('dr')
    const text = status?.streams[0]?.spool?.synced?.gtids ?? ''
    const connections = await Promise.all(Array.from({ length: writers }, () => pair.sql()))
    return new CommitLedger(pair.flavor, parseGtidSet(pair.flavor, text), connections)
  }

  get acknowledged(): number {
    return this.#acknowledgedMs.length
  }

  /** Writes until `stop`. */
  start(perSecond: number, bytes = 20): void {
    this.#isOver = false
    const everyMs = (1_000 / perSecond) * this.#connections.length
    const write = async (connection: Connection): Promise<void> => {
      let dueMs = performance.now()
      while (!this.#isOver) {
        await this.commit(connection, bytes)
        dueMs = Math.max(dueMs + everyMs, performance.now() - 100)
        await sleep(Math.max(0, dueMs - performance.now()))
      }
    }
    this.#writing = Promise.all(this.#connections.map(write))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#writing
  }

  /** One transaction; `domain`: of a MariaDB source. */
  async commit(
    connection = this.#connections[0],
    bytes = 20,
    domain: number | null = null,
  ): Promise<void> {
    if (connection === undefined) throw new Error('there is no writer')
    if (domain !== null) await connection.query(`SET SESSION gtid_domain_id = ${domain}`)
    await connection.query(`INSERT INTO ledger.t (b) VALUES (REPEAT('x', ${bytes}))`)
    this.#acknowledgedMs.push(performance.timeOrigin + performance.now())
  }

  /** How many of its commits are synced. */
  syncedOf({ streams }: GatewayStatus): number {
    return this.countOf(streams[0]?.spool?.synced?.gtids ?? '')
  }

  /** How many of its commits are among these. */
  countOf(gtids: string): number {
    const set = parseGtidSet(this.#flavor, gtids.replaceAll(/\s/g, ''))
    return Number(set.countMissingFrom(this.#before))
  }

  /** As many as there are writers may have been acknowledged in another order than committed. */
  truthOf(status: GatewayStatus): Truth {
    return this.#missing(this.syncedOf(status), status.nowMs)
  }

  #missing(there: number, atMs: number): Truth {
    const acknowledged = this.#acknowledgedMs.filter((ms) => ms <= atMs).length
    const disorder = this.#connections.length - 1
    const oldestMs = this.#acknowledgedMs[there + disorder] ?? Number.POSITIVE_INFINITY
    return {
      transactions: Math.max(0, acknowledged - there),
      ms: Math.max(0, atMs - oldestMs),
    }
  }
}
