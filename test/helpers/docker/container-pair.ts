import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../../src/base/flavor.ts'
import { MYSQL_THREADS_GRANT } from '../../../src/database/replica-queries.ts'
import { compareSpool, type SpoolReport } from '../../../src/lab/compare/compare-spool.ts'
import { compareTables, type TablesReport } from '../../../src/lab/compare/compare-tables.ts'
import { newestEpochFolder } from '../../../src/lab/compare/spool-files.ts'
import { runCommand } from '../../../src/lab/hosts/command.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'
import { ATTACH_GRANTS } from '../../../src/mysql/grants.ts'
import { setUpSites } from '../../../src/provision/sites-setup.ts'
import type { Site } from '../pair/loopback-pair.ts'
import { changeGateways, sitesPlan } from '../pair/pair-folder.ts'
import { TestServers } from '../servers/test-servers.ts'
import { composeRun } from './compose-service.ts'
import type { DockerEngine } from './docker-engine.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const COMPOSE_FILE = join(ROOT, 'docker-compose.yml')
const IMAGE_USER = 10_001
/** Others than the usual ones, which compose is told by the same names as a person would. */
const [TUNNEL_PORT, RELAY_PORT] = [51_999, 13_307]
const WAIT_SECONDS = 60

/**
 * Past the published port, which the engine's proxy on one machine serves from a port of its own:
 * a production gateway that was restarted could not call, and WireGuard at DR notices after 15 s.
 */
const ADDRESSES = { production: '192.0.2.20', dr: '192.0.2.21' } as const
export const NAMES = { production: 'ec2', dr: 'azure' } as const
const SITE_ENV = {
  production: { GATEWAY: NAMES.production, TUNNEL_PORT: String(TUNNEL_PORT) },
  dr: { GATEWAY: NAMES.dr, RELAY_PORT: String(RELAY_PORT) },
} as const
const IMAGE_ENV = {
  LANDBRIDGE_IMAGE: 'lb-gateway',
  LANDBRIDGE_BUILD_IMAGE: 'lb-base',
  LANDBRIDGE_BASE_IMAGE: 'lb-base',
} as const

/** Builds the image as the README says, from files that only root may read. */
export async function buildImage(engine: DockerEngine): Promise<void> {
  const context = join(engine.directory, 'context')
  const admitted = await readFile(join(ROOT, '.dockerignore'), 'utf8')
  const names = [...admitted.matchAll(/^!(.+)$/gm)].map(([, name = '']) => name)
  for (const name of [...names, '.dockerignore', 'gateway/Dockerfile']) {
    await cp(join(ROOT, name), join(context, name), { recursive: true })
  }
  await runCommand(['chmod', '-R', 'go-rwx', context])
  const { build } = await composeRun(COMPOSE_FILE, 'lb', IMAGE_ENV)
  const inContext = build.map((word) => word.replace(/^gateway\//, `${context}/gateway/`))
  // What a step printed is on the standard output with one builder, on the other with the other.
  const built = await engine.tryDocker('build', '--network', 'none', ...inContext, context)
  if (built.code === 0) return
  throw new Error(`docker build: ${built.stdout.slice(-2_000)}${built.stderr.slice(-2_000)}`)
}

/** A source, both gateways in containers of one engine, and a replica, as the README has it. */
export class ContainerPair implements AsyncDisposable {
  readonly flavor: Flavor
  readonly source: RunningServer
  readonly replica: RunningServer
  readonly #engine: DockerEngine
  readonly #servers: TestServers
  readonly #directory: string
  readonly #connections: Connection[] = []

  private constructor(
    engine: DockerEngine,
    servers: TestServers,
    databases: { readonly source: RunningServer; readonly replica: RunningServer },
    directory: string,
  ) {
    this.flavor = databases.source.flavor
    this.source = databases.source
    this.replica = databases.replica
    this.#engine = engine
    this.#servers = servers
    this.#directory = directory
  }

  static async create(engine: DockerEngine, flavor: Flavor): Promise<ContainerPair> {
    const servers = await TestServers.create()
    let made: ContainerPair | undefined
    try {
      const common = { bindAddress: engine.hostAddress, commandPrefix: engine.commandPrefix }
      const [source, replica] = await Promise.all([
        servers.start(flavor, common),
        servers.start(flavor, common),
      ])
      const directory = await mkdtemp(join(tmpdir(), 'lbcontainers-'))
      const pair = new ContainerPair(engine, servers, { source, replica }, directory)
      made = pair
      await pair.#setUp()
      for (const site of ['production', 'dr'] as const) await pair.run(site)
      return pair
    } catch (error) {
      await (made ?? servers).stop()
      throw error
    }
  }

  /** `docker compose up -d`: a container that is there already is replaced, its volume kept. */
  async run(site: Site): Promise<void> {
    const env = { ...IMAGE_ENV, ...SITE_ENV[site], LANDBRIDGE_DIRECTORY: this.#directory }
    const { run } = await composeRun(COMPOSE_FILE, this.container(site), env)
    const name = this.container(site)
    await this.#engine.tryDocker('rm', '--force', name)
    const place = ['--network', 'lb', '--ip', ADDRESSES[site]]
    await this.#engine.docker('run', '--detach', '--name', name, ...place, ...run)
  }

  container(site: Site): string {
    return `${this.flavor}-${NAMES[site]}`
  }

  /** `docker compose exec gateway landbridge ...` */
  async landbridge(site: Site, ...words: readonly string[]): Promise<string> {
    return await this.#engine.docker('exec', this.container(site), 'landbridge', ...words)
  }

  /** A relay lets nobody in before it holds something. */
  async attach(): Promise<string> {
    const status = ['exec', this.container('dr'), 'landbridge', 'status']
    await this.#engine.until(status, (output) => /synced position +\S+\.\d+:\d/.test(output))
    const words = ['--config', `gateway/${NAMES.dr}.yaml`, '--relay-host', this.#engine.hostAddress]
    return await this.landbridge('dr', 'replica', 'attach', ...words)
  }

  async write(rows: number): Promise<void> {
    const sql = await this.#sql(this.source)
    await sql.query('CREATE DATABASE IF NOT EXISTS shop')
    await sql.query(
      'CREATE TABLE IF NOT EXISTS shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, v INT)',
    )
    for (let row = 0; row < rows; row += 1) {
      await sql.query('INSERT INTO shop.orders (v) VALUES (?)', [row])
    }
  }

  async compareTables(): Promise<TablesReport> {
    return await compareTables({
      flavor: this.flavor,
      sourceSocket: this.source.socket,
      replicaSocket: this.replica.socket,
      waitSeconds: WAIT_SECONDS,
      signal: AbortSignal.timeout(WAIT_SECONDS * 2_000),
    })
  }

  async compareSpool(): Promise<SpoolReport> {
    const volume = `${this.container('dr')}-data`
    const folder = await this.#engine.docker(
      ...['volume', 'inspect', '--format', '{{.Mountpoint}}', volume],
    )
    return await compareSpool({
      flavor: this.flavor,
      sourceSocket: this.source.socket,
      sourceBinlogDirectory: this.source.binlogDirectory,
      spoolFiles: () => newestEpochFolder(join(folder, 'spool', 'main')),
      waitSeconds: WAIT_SECONDS,
      signal: AbortSignal.timeout(WAIT_SECONDS * 2_000),
    })
  }

  /** What a person would see in the gateways' logs, for whoever looks at a failed test. */
  async logTails(): Promise<string> {
    const tails = (['production', 'dr'] as const).map(async (site) => {
      const { stdout, stderr } = await this.#engine.tryDocker('logs', this.container(site))
      return `--- ${site}\n${(stdout + stderr).slice(-4_000)}`
    })
    return (await Promise.all(tails)).join('\n')
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    for (const site of ['production', 'dr'] as const) {
      await this.#engine.tryDocker('rm', '--force', '--volumes', this.container(site))
    }
    await this.#servers.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** The files of `landbridge init`, the logins, and the owner that the image's user needs. */
  async #setUp(): Promise<void> {
    const host = this.#engine.hostAddress
    await setUpSites(
      changeGateways(sitesPlan(this.#directory), {
        [NAMES.production]: {
          endpoint: { host: ADDRESSES.production, port: TUNNEL_PORT },
          database: { host, port: this.source.port },
          databaseCa: this.source.tls?.authority ?? null,
        },
        [NAMES.dr]: {
          databaseCa: this.replica.tls?.authority ?? null,
          relayListen: { host: '0.0.0.0', port: RELAY_PORT },
        },
      }),
    )
    const certs = join(this.#directory, 'certs')
    const password = await this.#databasePassword('production')
    await this.#createLogin(this.source, 'landbridge', password, [
      'REPLICATION SLAVE, REPLICATION CLIENT ON *.*',
    ])
    const copyPassword = await this.#databasePassword('dr')
    await this.#createLogin(this.replica, 'landbridge_replica', copyPassword, [
      `${ATTACH_GRANTS[this.flavor].join(', ')} ON *.*`,
      ...(this.flavor === 'mysql' ? [MYSQL_THREADS_GRANT] : []),
    ])
    await this.#nameDatabase()
    await runCommand(['chown', '-R', String(IMAGE_USER), join(certs, NAMES.production)])
    await runCommand(['chown', '-R', String(IMAGE_USER), join(certs, NAMES.dr)])
  }

  /** As `init` made it. */
  async #databasePassword(site: Site): Promise<string> {
    const path = join(this.#directory, 'certs', NAMES[site], 'database.password')
    return (await readFile(path, 'utf8')).trim()
  }

  /** Takes the `#` from the `database:` section, as the README says. */
  async #nameDatabase(): Promise<void> {
    const path = join(this.#directory, 'gateway', `${NAMES.dr}.yaml`)
    const text = await readFile(path, 'utf8')
    const section = text
      .replace(/^ {4}# database:.*\n(?: {4}# {3}.*\n)+/m, (lines) =>
        lines.replaceAll(/^ {4}# /gm, '    '),
      )
      .replace('host: 203.0.113.10', `host: ${this.replica.bindAddress}`)
      .replace('port: 3306', `port: ${this.replica.port}`)
    await writeFile(path, section)
  }

  async #createLogin(
    server: RunningServer,
    user: string,
    password: string,
    grants: readonly string[],
  ): Promise<void> {
    const sql = await this.#sql(server)
    await sql.query('SET SESSION sql_log_bin = 0')
    await sql.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`)
    for (const grant of grants) await sql.query(`GRANT ${grant} TO '${user}'@'%'`)
  }

  async #sql(server: RunningServer): Promise<Connection> {
    const connection = await connectSql({ socket: server.socket })
    connection.on('error', () => undefined)
    this.#connections.push(connection)
    return connection
  }
}
