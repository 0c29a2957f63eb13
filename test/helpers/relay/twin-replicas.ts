import { expect, vi } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import type { TestServerOptions } from '../servers/test-servers.ts'
import { RELAY_PASSWORD, RELAY_USER, RelayFixture, type TestReplica } from './relay-fixture.ts'

const USER = 'twin'
const PASSWORD = 'twin'
const WAIT = { timeout: 60_000, interval: 50 }

/** The words of a flavour for the same things. */
const WORDS = {
  mysql: {
    noun: 'REPLICA',
    change: 'CHANGE REPLICATION SOURCE TO',
    prefix: 'SOURCE',
    byGtid: 'SOURCE_AUTO_POSITION=1',
    columns: ['Source_Log_File', 'Read_Source_Log_Pos', 'Relay_Source_Log_File'],
    executed: 'Exec_Source_Log_Pos',
    gtids: '@@gtid_executed',
  },
  mariadb: {
    noun: 'SLAVE',
    change: 'CHANGE MASTER TO',
    prefix: 'MASTER',
    byGtid: 'MASTER_USE_GTID=slave_pos',
    columns: ['Master_Log_File', 'Read_Master_Log_Pos', 'Relay_Master_Log_File'],
    executed: 'Exec_Master_Log_Pos',
    gtids: '@@gtid_slave_pos',
  },
} as const

/** What two replicas are compared by. Texts of errors are not part of it, numbers are. */
export interface Outcome {
  readonly io: string
  readonly sql: string
  readonly ioErrno: number
  readonly sqlErrno: number
  /** File and position read and executed, as the replica counts them. */
  readonly positions: readonly string[]
  readonly gtids: string
  /** Of every table of `shop`: its name and checksum. */
  readonly tables: readonly string[]
}

/**
 * One source and two replicas of it: `native` follows the source, `relayed` the relay over the same
 * files. Both are asked the same; what comes of it has to be the same.
 */
export class TwinReplicas {
  readonly fixture: RelayFixture
  readonly native: TestReplica
  readonly relayed: TestReplica
  #row = 0

  private constructor(fixture: RelayFixture, native: TestReplica, relayed: TestReplica) {
    this.fixture = fixture
    this.native = native
    this.relayed = relayed
  }

  static async create(
    flavor: Flavor,
    options: { readonly source?: TestServerOptions; readonly replicas?: TestServerOptions } = {},
  ): Promise<TwinReplicas> {
    const fixture = await RelayFixture.create(flavor, options.source)
    try {
      const [native, relayed] = await Promise.all([
        fixture.startReplica(options.replicas),
        fixture.startReplica(options.replicas),
      ])
      const twins = new TwinReplicas(fixture, native, relayed)
      await twins.#begin()
      return twins
    } catch (error) {
      await fixture.stop()
      throw error
    }
  }

  async #begin(): Promise<void> {
    await this.fixture.write(
      `CREATE USER '${USER}'@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'`,
      `GRANT REPLICATION SLAVE ON *.* TO '${USER}'@'127.0.0.1'`,
      'CREATE DATABASE shop',
      'CREATE TABLE shop.t (id INT PRIMARY KEY, v LONGTEXT)',
    )
    await this.follow()
    await this.control('START')
    await this.caughtUp()
  }

  get flavor(): Flavor {
    return this.fixture.flavor
  }

  stop(): Promise<void> {
    return this.fixture.stop()
  }

  /** Both still have the same at the very end. Whatever they have, the servers go. */
  async finishAndStop(): Promise<void> {
    try {
      await this.finish()
    } finally {
      await this.stop()
    }
  }

  /** The same at both. */
  async each(work: (replica: TestReplica) => Promise<unknown>): Promise<void> {
    await Promise.all([work(this.native), work(this.relayed)])
  }

  async run(...statements: readonly string[]): Promise<void> {
    await this.each(async ({ sql }) => {
      for (const statement of statements) await sql.query(statement)
    })
  }

  /** Rows in `shop.t`, a transaction each; returns their GTIDs. Only MariaDB has domains. */
  async insert(count: number, domain = 0): Promise<string[]> {
    const { fixture, flavor } = this
    const gtids: string[] = []
    if (flavor === 'mariadb') await fixture.sql.query(`SET gtid_domain_id=${domain}`)
    for (let index = 0; index < count; index += 1) {
      this.#row += 1
      await fixture.write(`INSERT INTO shop.t VALUES ${this.row()}`)
      gtids.push(await this.#newestGtid())
    }
    if (flavor === 'mariadb') await fixture.sql.query('SET gtid_domain_id=0')
    return gtids
  }

  /** The row that was inserted last, or `back` before it, as the values of a statement. */
  row(back = 0): string {
    const id = this.#row - back
    return `(${id}, 'row ${id}')`
  }

  async #newestGtid(): Promise<string> {
    const { fixture, flavor } = this
    if (flavor === 'mariadb') return await fixture.text(fixture.sql, '@@last_gtid')
    return (await fixture.text(fixture.sql, '@@gtid_executed')).replace(/:.*-/, ':')
  }

  /** Stopped replicas are told whom to follow, by GTID unless `how` says otherwise. */
  async follow(...how: readonly string[]): Promise<void> {
    await this.each((replica) => replica.sql.query(this.changeStatement(replica, how)))
  }

  changeStatement(replica: TestReplica, how: readonly string[] = [], name = ''): string {
    const { change, prefix, byGtid } = WORDS[this.flavor]
    const isNative = replica === this.native
    const { source, port } = this.fixture
    const options = [
      `HOST='127.0.0.1'`,
      `PORT=${isNative ? source.port : port}`,
      `USER='${isNative ? USER : RELAY_USER}'`,
      `PASSWORD=${replica.sql.escape(isNative ? PASSWORD : RELAY_PASSWORD)}`,
      'CONNECT_RETRY=1',
      'SSL=1',
      `SSL_CA='${source.tls?.authority}'`,
      'SSL_VERIFY_SERVER_CERT=0',
    ].map((option) => `${prefix}_${option}`)
    const all = [...options, ...(how.length === 0 ? [byGtid] : how)].join(', ')
    if (this.flavor === 'mysql') return `${change} ${all}${name && ` FOR CHANNEL '${name}'`}`
    return name === '' ? `${change} ${all}` : `CHANGE MASTER '${name}' TO ${all}`
  }

  async control(verb: 'START' | 'STOP', tail = ''): Promise<void> {
    await this.run(`${verb} ${WORDS[this.flavor].noun} ${tail}`)
  }

  async caughtUp(): Promise<void> {
    await this.each((replica) => this.fixture.caughtUp(replica))
  }

  async outcome(replica: TestReplica): Promise<Outcome> {
    const { columns, executed, gtids } = WORDS[this.flavor]
    const status = await this.fixture.status(replica)
    const of = (name: string) => status[`Replica_${name}`] ?? status[`Slave_${name}`]
    return {
      io: String(of('IO_Running')),
      sql: String(of('SQL_Running')),
      ioErrno: Number(status.Last_IO_Errno),
      sqlErrno: Number(status.Last_SQL_Errno),
      positions: [...columns, executed].map((name) => String(status[name])),
      gtids: (await this.fixture.text(replica.sql, gtids)).replaceAll(/\s/g, ''),
      tables: await this.#tables(replica),
    }
  }

  async #tables({ sql }: TestReplica): Promise<string[]> {
    const [names] = await sql.query({
      sql: "SELECT table_name FROM information_schema.tables WHERE table_schema='shop' ORDER BY 1",
      rowsAsArray: true,
    })
    const list: string[] = []
    for (const [name] of names as string[][]) {
      const [rows] = await sql.query({ sql: `CHECKSUM TABLE shop.${name}`, rowsAsArray: true })
      list.push((rows as unknown[][]).flat().join(' '))
    }
    return list
  }

  /**
   * Waits until the native replica is as `expected`, then for the other one to be the same in all.
   * Returns what both are.
   */
  async same(expected: Partial<Outcome>, ...without: readonly (keyof Outcome)[]): Promise<Outcome> {
    const native = async () => {
      const outcome = await this.outcome(this.native)
      expect(outcome).toMatchObject(expected)
      return outcome
    }
    await vi.waitFor(native, WAIT)
    return await vi.waitFor(async () => {
      // MariaDB writes some events behind a commit's back.
      await this.fixture.store.look()
      const outcome = await native()
      const rest = Object.entries(outcome).filter(([name]) => !without.some((one) => one === name))
      expect(await this.outcome(this.relayed)).toMatchObject(Object.fromEntries(rest))
      return outcome
    }, WAIT)
  }

  /** All but the newest file, at the source and so at the relay. Nobody may be connected. */
  async purge(): Promise<void> {
    const { fixture } = this
    const [threads] = await fixture.sql.query(
      "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'",
    )
    // A dump whose replica has gone notices that with the next event, and holds its file so long.
    for (const { id } of threads as { id: number }[]) {
      await fixture.sql.query(`KILL ${id}`).catch(() => undefined)
    }
    await fixture.sql.query('FLUSH BINARY LOGS')
    await fixture.store.look()
    const newest = fixture.store.files().at(-1)?.name
    await vi.waitFor(async () => {
      await fixture.write(`PURGE BINARY LOGS TO '${newest}'`)
      expect(fixture.store.files().length).toBe(1)
    }, WAIT)
  }

  /** File and offset up to which it has received; nothing before the colon: none yet. */
  async #received(replica: TestReplica): Promise<string> {
    return (await this.outcome(replica)).positions.slice(0, 2).join(':')
  }

  /** Both go on from where they are, to the end, and have the same then: which GTIDs. */
  async finish(): Promise<string> {
    await this.fixture.store.look()
    await this.control('STOP')
    await this.control('START')
    await this.caughtUp()
    const running = { io: 'Yes', sql: 'Yes', ioErrno: 0, sqlErrno: 0 }
    const { gtids } = await this.same(running, 'positions')
    // One that is refused at once keeps the place that it had: both must have come to the same.
    await vi.waitFor(async () => {
      await this.fixture.store.look()
      const [native, relayed] = await Promise.all([
        this.#received(this.native),
        this.#received(this.relayed),
      ])
      expect(native).not.toMatch(/^:/)
      expect(relayed).toBe(native)
    }, WAIT)
    return gtids
  }
}
