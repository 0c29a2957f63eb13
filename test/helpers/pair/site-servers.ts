import type { Connection, RowDataPacket } from 'mysql2/promise'
import { expect } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import { compareSpool } from '../../../src/lab/compare/compare-spool.ts'
import { compareTables } from '../../../src/lab/compare/compare-tables.ts'
import { newestEpochFolder } from '../../../src/lab/compare/spool-files.ts'
import type { ServerRecord } from '../../../src/lab/servers/server-options.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'
import { attachToRelay, type RelayLogin } from '../servers/attach-to-relay.ts'
import { RELAY_PASSWORD } from './loopback-gateways.ts'

const WORDS = {
  mysql: {
    noun: 'REPLICA',
    has: 'gtid_executed',
    applied: 'gtid_executed',
    readOnly: 'super_read_only',
  },
  mariadb: {
    noun: 'SLAVE',
    has: 'gtid_binlog_pos',
    applied: 'gtid_slave_pos',
    readOnly: 'read_only',
  },
} as const

/** Of a relay on the loopback. */
export function loopbackRelay(port: number): RelayLogin {
  return { host: '127.0.0.1', port, user: 'replica', password: RELAY_PASSWORD }
}

/** A database of one site in one stream, as whoever moves roles by hand handles it. */
export class SiteServer {
  readonly server: ServerRecord
  readonly relay: RelayLogin
  /** Of the gateway beside it, for the times when the site is a copy. */
  readonly spoolDirectory: string

  constructor(
    server: ServerRecord,
    { relay, spoolDirectory }: Pick<SiteServer, 'relay' | 'spoolDirectory'>,
  ) {
    this.server = server
    this.relay = relay
    this.spoolDirectory = spoolDirectory
  }

  get #words(): (typeof WORDS)[Flavor] {
    return WORDS[this.server.flavor]
  }

  /** As root; closed with the server at the latest. */
  async sql(): Promise<Connection> {
    const sql = await connectSql({ socket: this.server.socket, multipleStatements: true })
    sql.on('error', () => undefined)
    return sql
  }

  async within<T>(work: (sql: Connection) => Promise<T>): Promise<T> {
    const sql = await this.sql()
    try {
      return await work(sql)
    } finally {
      sql.destroy()
    }
  }

  async value(variable: string): Promise<string> {
    return await this.within(async (sql) => {
      const [rows] = await sql.query<RowDataPacket[]>(`SELECT @@GLOBAL.${variable} AS value`)
      return String(rows[0]?.value).replaceAll(/\s/g, '')
    })
  }

  /** GTIDs of all that it has written to its binary log. */
  async committed(): Promise<string> {
    return await this.value(this.#words.has)
  }

  /** GTIDs of what it has applied as a replica. */
  async applied(): Promise<string> {
    return await this.value(this.#words.applied)
  }

  /** What it says of its replication, for whoever looks at a failed test. */
  async threads(): Promise<string> {
    return await this.within(async (sql) => {
      const [rows] = await sql.query<RowDataPacket[]>(`SHOW ${this.#words.noun} STATUS`)
      return JSON.stringify(rows[0] ?? 'none')
    })
  }

  async isReadOnly(): Promise<boolean> {
    return ['1', 'ON'].includes(await this.value(this.#words.readOnly))
  }

  /** To the relay beside it. */
  async attach(): Promise<void> {
    await this.within((sql) => attachToRelay(sql, this.server.flavor, this.relay))
  }

  /** It follows nobody any more, and may be written to. */
  async promote(): Promise<void> {
    const { noun } = this.#words
    await this.within((sql) =>
      sql.query(`STOP ${noun}; RESET ${noun} ALL; SET GLOBAL read_only = OFF`),
    )
  }

  /**
   * Once the origin, it becomes a replica of the relay beside it, which needs `held`: a MariaDB
   * that has more than the relay holds is refused for good, as by a source, and stops.
   */
  async demote(held: () => Promise<string>): Promise<void> {
    if (this.server.flavor === 'mariadb') {
      const own = sequenceOf(await this.committed())
      await expect
        .poll(async () => sequenceOf(await held()) >= own, { timeout: 120_000 })
        .toBe(true)
      await this.within((sql) => sql.query('SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos'))
    }
    await this.attach()
  }

  /** The spool beside it is the binary log of `origin`, and it has the same data. */
  async expectCopyOf(origin: SiteServer): Promise<void> {
    const signal = AbortSignal.timeout(120_000)
    const common = { sourceSocket: origin.server.socket, waitSeconds: 60, signal }
    const { flavor, socket: replicaSocket } = this.server
    const spool = await compareSpool({
      ...common,
      flavor,
      sourceBinlogDirectory: origin.server.binlogDirectory,
      spoolFiles: () => newestEpochFolder(this.spoolDirectory),
      // After a change of origin an epoch begins where what was held ends, in a later file.
      allowsOlder: true,
    })
    expect(spool).toMatchObject({ identical: true, failures: [] })
    const tables = await compareTables({ ...common, flavor, replicaSocket })
    expect(tables).toMatchObject({ equal: true, failures: [] })
  }
}

/** Of MariaDB's only domain: `0-1-42` is 42. */
function sequenceOf(gtids: string): number {
  return Number(gtids.split('-').at(-1) ?? 0)
}
