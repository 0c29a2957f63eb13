import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { systemClock } from '../../../src/base/clock.ts'
import type { Flavor } from '../../../src/base/flavor.ts'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import {
  type AttachOptions,
  type AttachResult,
  attachReplica,
} from '../../../src/database/attach.ts'
import { MYSQL_THREADS_GRANT } from '../../../src/database/replica-queries.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'
import { ATTACH_GRANTS } from '../../../src/mysql/grants.ts'
import type { SqlLoginOptions } from '../../../src/mysql/sql-login.ts'
import { RelayServer } from '../../../src/relay/relay-server.ts'
import { tlsOf } from '../servers/server-tls.ts'
import { type TestServerOptions, TestServers } from '../servers/test-servers.ts'
import { ServerLog } from './server-log.ts'

export const RELAY_USER = 'replica'
export const RELAY_PASSWORD = "it's a \\secret"
const RELAY_UUID = '11111111-2222-3333-4444-555555555555'
const WAIT_MS = 90_000

export interface TestReplica {
  readonly server: RunningServer
  readonly sql: Connection
  readonly login: SqlLoginOptions
}

/** A source, a relay over its files, and replicas on demand. */
export class RelayFixture {
  readonly flavor: Flavor
  readonly servers: TestServers
  readonly source: RunningServer
  readonly sql: Connection
  readonly store: ServerLog
  readonly relay: RelayServer
  /** What replicas have applied as far as the relay knows, by server id. */
  readonly applied = new Map<number, string>()
  port = 0
  readonly #stopping = new AbortController()
  readonly #connections: Connection[] = []
  #running: Promise<void> = Promise.resolve()
  #count = 1

  private constructor(
    servers: TestServers,
    source: RunningServer,
    sql: Connection,
    store: ServerLog,
  ) {
    this.flavor = source.flavor
    this.servers = servers
    this.source = source
    this.sql = sql
    this.store = store
    const { tls } = source
    if (tls === undefined) throw new TypeError('the relay needs a certificate')
    this.relay = new RelayServer({
      store: this.store,
      listen: { host: '127.0.0.1', port: 0 },
      user: RELAY_USER,
      password: new Secret(RELAY_PASSWORD),
      tls: {
        key: readFileSync(tls.privateKey, 'utf8'),
        certificate: readFileSync(tls.certificate, 'utf8'),
      },
      serverId: 4_200_000_001,
      serverUuid: RELAY_UUID,
      appliedBy: ({ serverId }) => this.applied.get(serverId) ?? null,
      log: silentLog,
      clock: systemClock,
    })
  }

  static async create(flavor: Flavor, options: TestServerOptions = {}): Promise<RelayFixture> {
    const servers = await TestServers.create()
    const source = await servers.start(flavor, { serverId: 1, ...options })
    const sql = await connectSql(localAddress(source))
    const store = await ServerLog.open(source, sql)
    const fixture = new RelayFixture(servers, source, sql, store)
    fixture.#connections.push(fixture.sql)
    fixture.#running = fixture.relay.run(fixture.#stopping.signal)
    fixture.port = await fixture.relay.ready({ signal: fixture.#stopping.signal })
    return fixture
  }

  async startReplica(options: TestServerOptions = {}): Promise<TestReplica> {
    this.#count += 1
    const server = await this.servers.start(this.flavor, { serverId: this.#count, ...options })
    const sql = await connectSql({ ...localAddress(server), multipleStatements: true })
    this.#connections.push(sql)
    const password = new Secret('attach')
    const far = "'attach'@'127.0.0.1'"
    const more = this.flavor === 'mysql' ? `GRANT ${MYSQL_THREADS_GRANT} TO ${far};` : ''
    await sql.query(
      `SET sql_log_bin=0; CREATE USER ${far} IDENTIFIED BY 'attach';
       GRANT ${ATTACH_GRANTS[this.flavor].join(', ')} ON *.* TO ${far}; ${more}
       SET sql_log_bin=1; SET GLOBAL ${this.flavor === 'mysql' ? 'super_' : ''}read_only=ON`,
    )
    const login = {
      role: 'replica',
      host: '127.0.0.1',
      port: server.port,
      user: 'attach',
      password,
      tls: tlsOf(server),
    } as const
    return { server, sql, login }
  }

  attach(replica: TestReplica, options: Partial<AttachOptions> = {}): Promise<AttachResult> {
    const password = new Secret(RELAY_PASSWORD)
    const address = { host: '127.0.0.1', port: this.port, user: RELAY_USER, password }
    return attachReplica(
      {
        replica: replica.login,
        relay: { role: 'relay', ...address, tls: tlsOf(this.source) },
        target: { ...address, caPath: this.source.tls?.authority ?? null, isNamed: () => true },
        replace: false,
        dryRun: false,
        waitMs: 15_000,
        clock: systemClock,
        ...options,
      },
      this.#stopping.signal,
    )
  }

  /** Runs SQL at the source and lets the relay see it. */
  async write(...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await this.sql.query(statement)
    await this.store.look()
  }

  control(replica: TestReplica, verb: 'START' | 'STOP'): Promise<unknown> {
    return replica.sql.query(`${verb} ${this.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'}`)
  }

  async status(replica: TestReplica): Promise<Record<string, unknown>> {
    const noun = this.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
    const [rows] = await replica.sql.query(`SHOW ${noun} STATUS`)
    return (rows as Record<string, unknown>[])[0] ?? {}
  }

  /** Waits until the replica has everything that the source has. */
  async caughtUp(replica: TestReplica): Promise<void> {
    const isMysql = this.flavor === 'mysql'
    const wanted = await this.text(this.sql, isMysql ? '@@gtid_executed' : '@@gtid_binlog_pos')
    const reached = isMysql
      ? `WAIT_FOR_EXECUTED_GTID_SET('${wanted}', ${WAIT_MS / 1000})`
      : `MASTER_GTID_WAIT('${wanted}', ${WAIT_MS / 1000})`
    const result = await this.text(replica.sql, reached)
    if (result !== '0') {
      throw new Error(`not caught up: ${JSON.stringify(await this.status(replica))}`)
    }
  }

  async text(sql: Connection, expression: string): Promise<string> {
    const [rows] = await sql.query({ sql: `SELECT ${expression}`, rowsAsArray: true })
    return String((rows as unknown[][])[0]?.[0])
  }

  /** Rows and checksum of a table on both sides. */
  async tables(replica: TestReplica, table: string): Promise<[unknown, unknown]> {
    const read = async (sql: Connection) => [
      await this.text(sql, `COUNT(*) FROM ${table}`),
      (await sql.query({ sql: `CHECKSUM TABLE ${table}`, rowsAsArray: true }))[0],
    ]
    return [await read(this.sql), await read(replica.sql)]
  }

  async eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
    for (let waitedMs = 0; waitedMs < WAIT_MS; waitedMs += 50) {
      if (await condition()) return
      await sleep(50)
    }
    throw new Error('the condition never came true')
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    for (const connection of this.#connections) connection.destroy()
    await this.servers.stop()
  }
}

function localAddress(server: RunningServer): { readonly socket: string } {
  return { socket: server.socket }
}
