import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../../src/base/flavor.ts'
import {
  type CompareSpoolOptions,
  compareSpool,
  type SpoolReport,
} from '../../../src/lab/compare/compare-spool.ts'
import { compareTables, type TablesReport } from '../../../src/lab/compare/compare-tables.ts'
import { newestEpochFolder } from '../../../src/lab/compare/spool-files.ts'
import { findServerBinaries, type ServerRelease } from '../../../src/lab/servers/server-binaries.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'
import { ATTACH_GRANTS } from '../../../src/mysql/grants.ts'
import { attachToRelay } from '../servers/attach-to-relay.ts'
import { type TestServerOptions, TestServers } from '../servers/test-servers.ts'
import { LoopbackPair, type LoopbackPairOptions, type Site } from './loopback-pair.ts'

const run = promisify(execFile)
export const SOURCE_PASSWORD = 'source-secret'

const SOURCE_GRANTS = {
  mysql: ['REPLICATION SLAVE, REPLICATION CLIENT ON *.*'],
  mariadb: ['REPLICATION SLAVE, BINLOG MONITOR ON *.*'],
} as const

/** To be asked what is applied; attaching is done as root. */
const REPLICA_GRANTS = {
  mysql: ['REPLICATION CLIENT ON *.*', 'SELECT ON performance_schema.*'],
  mariadb: ['SLAVE MONITOR ON *.*'],
} as const

/** To be made read-only once another site took over. */
const FENCE_GRANTS = {
  mysql: ['SYSTEM_VARIABLES_ADMIN ON *.*'],
  mariadb: ['READ_ONLY ADMIN ON *.*'],
} as const

export interface ReplicatedPairOptions {
  readonly source?: TestServerOptions
  readonly replica?: TestServerOptions
  /** False: nothing is attached to the relay. */
  readonly attach?: boolean
  /** The gateways may do with either server what each role takes. */
  readonly bothRoles?: boolean
  readonly gateways?: Omit<LoopbackPairOptions, 'source' | 'replica'>
  /** Called before the gateways start for the first time. */
  readonly prepare?: (pair: LoopbackPair, source: RunningServer) => Promise<void>
}

/** A real source, two gateway processes on the loopback, and a real replica behind the relay. */
export class ReplicatedPair implements AsyncDisposable {
  readonly flavor: Flavor
  readonly servers: TestServers
  readonly pair: LoopbackPair
  source: RunningServer
  replica: RunningServer | null
  readonly #options: ReplicatedPairOptions
  readonly #connections: Connection[] = []
  #sourceRelease: ServerRelease | undefined

  private constructor(
    servers: TestServers,
    pair: LoopbackPair,
    databases: { readonly source: RunningServer; readonly replica: RunningServer | null },
    options: ReplicatedPairOptions,
  ) {
    this.servers = servers
    this.pair = pair
    this.source = databases.source
    this.replica = databases.replica
    this.flavor = databases.source.flavor
    this.#options = options
    this.#sourceRelease = options.source?.release
  }

  static async create(
    flavor: Flavor,
    options: ReplicatedPairOptions = {},
  ): Promise<ReplicatedPair> {
    const servers = await TestServers.create()
    try {
      const withReplica = options.attach !== false
      const [source, replica] = await Promise.all([
        servers.start(flavor, { serverId: 1, ...options.source }),
        withReplica ? servers.start(flavor, { serverId: 2, ...options.replica }) : null,
      ])
      const grants = (role: readonly string[]) =>
        options.bothRoles === true ? bothRolesGrants(flavor) : role
      await createLogin(source, grants(SOURCE_GRANTS[flavor]))
      if (replica !== null) await createLogin(replica, grants(REPLICA_GRANTS[flavor]))
      const login = { user: 'landbridge', password: SOURCE_PASSWORD }
      const pair = await LoopbackPair.create({
        ...options.gateways,
        source: { ...login, port: source.port },
        ...(replica && { replica: { ...login, port: replica.port } }),
      })
      const created = new ReplicatedPair(servers, pair, { source, replica }, options)
      await options.prepare?.(pair, source)
      await pair.start('production')
      await pair.start('dr')
      if (replica !== null) {
        await created.held()
        await created.attach(replica)
      }
      return created
    } catch (error) {
      await servers.stop()
      throw error
    }
  }

  /** A login at the source as root, closed with the pair. */
  async sql(server: RunningServer = this.source): Promise<Connection> {
    const connection = await connectSql({ socket: server.socket, multipleStatements: true })
    connection.on('error', () => undefined)
    this.#connections.push(connection)
    return connection
  }

  /** Waits until something of the source is synced at DR. */
  async held(): Promise<void> {
    await this.pair.until('dr', ({ streams }) => (streams[0]?.spool?.bytes ?? 0) > 0)
  }

  /** Waits until everything that the source has committed is synced at DR. */
  async synced(): Promise<void> {
    const sql = await this.sql()
    const variable = this.flavor === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos'
    const [rows] = await sql.query(`SELECT @@GLOBAL.${variable} AS gtids`)
    sql.destroy()
    const gtids = String((rows as { gtids: string }[])[0]?.gtids).replaceAll(/\s/g, '')
    await this.pair.until('dr', ({ streams }) => streams[0]?.spool?.synced?.gtids === gtids)
  }

  /** Points a server at the relay, quick to come back after a loss. */
  async attach(replica: RunningServer, relayPort = this.pair.relayPort): Promise<void> {
    const sql = await this.sql(replica)
    const { relayPassword: password } = this.pair
    const relay = { host: '127.0.0.1', port: relayPort, user: 'replica', password }
    await attachToRelay(sql, this.flavor, relay)
  }

  /** Starts the source or the replica again with its data, after it was stopped or killed. */
  async restart(
    which: 'source' | 'replica',
    signal: 'SIGTERM' | 'SIGKILL',
    change: TestServerOptions = {},
  ): Promise<void> {
    const server = which === 'source' ? this.source : this.replica
    if (server === null) throw new Error('there is no replica')
    if (signal === 'SIGKILL') server.kill('SIGKILL')
    else await server.stop()
    await server.exited
    const { directory, port, serverId } = server
    const options = { ...this.#options[which], ...change, directory, port, serverId }
    const started = await this.servers.start(this.flavor, options)
    if (which === 'source') {
      this.source = started
      this.#sourceRelease = options.release
    } else this.replica = started
  }

  /** Waits until the replica applies something new; the source has to be written to meanwhile. */
  async applying(): Promise<void> {
    if (this.replica === null) throw new Error('there is no replica')
    const sql = await this.sql(this.replica)
    const variable = this.flavor === 'mysql' ? 'gtid_executed' : 'gtid_slave_pos'
    const applied = async (): Promise<string> => {
      const [rows] = await sql.query(`SELECT @@GLOBAL.${variable} AS gtids`)
      return String((rows as { gtids: string }[])[0]?.gtids)
    }
    const before = await applied()
    await this.eventually(async () => (await applied()) !== before)
    sql.destroy()
  }

  /** The operator's part: what `landbridge replica attach` wants of the replica. */
  async allowAttach(): Promise<Connection> {
    if (this.replica === null) throw new Error('there is no replica')
    const sql = await this.sql(this.replica)
    const grants = ATTACH_GRANTS[this.flavor].join(', ')
    await sql.query(
      `SET sql_log_bin = 0; GRANT ${grants} ON *.* TO landbridge@'127.0.0.1';
       SET sql_log_bin = 1; SET GLOBAL ${this.flavor === 'mysql' ? 'super_' : ''}read_only = ON`,
    )
    return sql
  }

  /** The login that the gateways have at the first source, at another one. */
  async admit(server: RunningServer): Promise<void> {
    await createLogin(server, SOURCE_GRANTS[this.flavor])
  }

  /** The operator's part of a failover: another source in the config, a restart of the gateway. */
  async moveSource(server: RunningServer): Promise<void> {
    await this.pair.kill('production', 'SIGTERM')
    await this.pair.pointSourceAt(server.port)
    this.source = server
    await this.pair.start('production')
  }

  /** START or STOP of a server's replication. */
  async control(replica: RunningServer, verb: 'START' | 'STOP'): Promise<void> {
    const sql = await this.sql(replica)
    await sql.query(`${verb} ${this.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'}`)
  }

  async restartGateway(site: Site, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.pair.kill(site, signal)
    await this.pair.start(site)
  }

  /** Binlog files of the newest epoch, oldest first. */
  async spoolFiles(): Promise<string[]> {
    const folder = (await newestEpochFolder(this.pair.spoolDirectory)) ?? ''
    const names = (await readdir(folder)).filter((name) => /\.\d+$/.test(name))
    return names.sort().map((name) => join(folder, name))
  }

  /** Closes the source's file and compares every closed file with the spool's. */
  async compareSpool(
    waitSeconds = 60,
    options: Pick<CompareSpoolOptions, 'allowsOlder'> = {},
  ): Promise<SpoolReport> {
    return await compareSpool({
      ...options,
      flavor: this.flavor,
      sourceSocket: this.source.socket,
      sourceBinlogDirectory: this.source.binlogDirectory,
      spoolFiles: () => newestEpochFolder(this.pair.spoolDirectory),
      waitSeconds,
      signal: AbortSignal.timeout(waitSeconds * 2_000),
    })
  }

  async compareTables(waitSeconds = 60, replica = this.replica): Promise<TablesReport> {
    if (replica === null) throw new Error('there is no replica')
    return await compareTables({
      flavor: this.flavor,
      sourceSocket: this.source.socket,
      replicaSocket: replica.socket,
      waitSeconds,
      signal: AbortSignal.timeout(waitSeconds * 2_000),
    })
  }

  /** What a person would see in the gateways' logs. */
  async log(site: Site): Promise<string> {
    const name = site === 'dr' ? 'azure' : 'ec2'
    return await readFile(join(this.pair.directory, `${name}.log`), 'utf8')
  }

  /** The end of the gateways' and the servers' logs, for whoever looks at a failed test. */
  async logTails(): Promise<string> {
    const sites = ['production', 'dr'] as const
    const servers = { source: this.source, replica: this.replica }
    const texts = await Promise.all([
      ...sites.map(async (site) => `--- ${site}\n${(await this.log(site)).slice(-6_000)}`),
      ...Object.entries(servers).map(async ([name, server]) => {
        if (server === null) return ''
        return `--- ${name}\n${(await readFile(server.logFile, 'utf8')).slice(-4_000)}`
      }),
    ])
    return texts.join('\n')
  }

  /** The flavour's binlog tool reads files with checksums verified; throws what it says. */
  async readWithTool(...paths: readonly string[]): Promise<void> {
    const { binlogTool } = await findServerBinaries(this.flavor, this.#sourceRelease)
    const [command = '', ...leading] = binlogTool
    const options = ['--no-defaults', '--verify-binlog-checksum', '--result-file=/dev/null']
    await run(command, [...leading, ...options, ...paths], { maxBuffer: 1024 ** 2 })
  }

  async eventually(accept: () => Promise<boolean> | boolean, limitMs = 90_000): Promise<void> {
    const end = performance.now() + limitMs
    while (!(await accept())) {
      if (performance.now() > end) throw new Error(`not reached in ${limitMs} ms: ${accept}`)
      await sleep(100)
    }
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    await this.pair.stop()
    await this.servers.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** What the gateways may do with a server at a site of either role. */
export function bothRolesGrants(flavor: Flavor): readonly string[] {
  return [...SOURCE_GRANTS[flavor], ...REPLICA_GRANTS[flavor], ...FENCE_GRANTS[flavor]]
}

export async function createLogin(server: RunningServer, grants: readonly string[]): Promise<void> {
  const sql = await connectSql({ socket: server.socket })
  await sql.query('SET sql_log_bin = 0')
  await sql.query(`CREATE USER landbridge@'127.0.0.1' IDENTIFIED BY '${SOURCE_PASSWORD}'`)
  for (const grant of grants) await sql.query(`GRANT ${grant} TO landbridge@'127.0.0.1'`)
  await sql.end()
}

/** A row of /proc/PID/status in bytes, such as VmHWM, the most memory that was ever resident. */
export async function processBytes(pid: number, field: 'VmHWM' | 'VmRSS'): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) * 1024
}

/** User and system time that a process used so far. */
export async function processCpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [user = 0, system = 0] = [Number(fields[11]), Number(fields[12])]
  return (user + system) * 10
}
