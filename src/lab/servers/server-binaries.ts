import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { sidProgram, sidRoot } from './machine-cache.ts'

/**
 * `usual`: what the machine has, else the one of Debian sid. `newer`: a later MariaDB than the
 * usual one, for upgrades; of MySQL Debian has one version only.
 */
export type ServerRelease = 'usual' | 'newer'

/** Programs of one flavour on this machine. Each is an argv prefix: append the arguments. */
export interface ServerBinaries {
  readonly flavor: Flavor
  readonly version: string
  /** `mariadbd` or `mysqld`. */
  readonly server: readonly string[]
  /** Options that must come right after `--no-defaults`. */
  readonly baseOptions: readonly string[]
  /** `mariadb-binlog` or `mysqlbinlog`. */
  readonly binlogTool: readonly string[]
  /** `mariadb` or `mysql`. */
  readonly client: readonly string[]
  /** `mariadb-install-db`; MySQL initialises with the server itself. */
  readonly installer: readonly string[] | undefined
  /** What `mariadb-install-db` would run, where it cannot run itself. */
  readonly systemTables?: readonly string[]
}

const run = promisify(execFile)

/** Oldest MySQL whose GTID tags, replication words and defaults we build on. */
const MYSQL_VERSION_MIN = [8, 4] as const

const found = new Map<string, Promise<ServerBinaries>>()

export function findServerBinaries(
  flavor: Flavor,
  release: ServerRelease = 'usual',
): Promise<ServerBinaries> {
  const key = `${flavor} ${release} ${sidRoot()} ${process.env.PATH ?? ''}`
  const known = found.get(key)
  if (known !== undefined) return known
  const search = release === 'newer' ? findNewer(flavor) : findUsual(flavor)
  found.set(key, search)
  search.catch(() => found.delete(key))
  return search
}

function findUsual(flavor: Flavor): Promise<ServerBinaries> {
  return flavor === 'mariadb' ? findMariadb() : findMysql()
}

/** Debian keeps servers in /usr/sbin, which is not on everybody's PATH. */
export function findOnPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const folder of [...folders, '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    const path = join(folder, name)
    if (existsSync(path)) return path
  }
  return undefined
}

/** `mysqld  Ver 9.7.4-2 for Linux ...` -> `9.7.4`, and whether it is MariaDB under that name. */
export function parseServerVersion(text: string): { version: string; flavor: Flavor } | undefined {
  const match = /\bVer (\d+\.\d+\.\d+)/.exec(text)
  if (match?.[1] === undefined) return undefined
  return { version: match[1], flavor: /mariadb/i.test(text) ? 'mariadb' : 'mysql' }
}

async function versionOf(argv: readonly string[], flavor: Flavor): Promise<string | undefined> {
  const [command, ...leading] = argv
  if (command === undefined) return undefined
  try {
    const { stdout } = await run(command, [...leading, '--no-defaults', '--version'])
    const parsed = parseServerVersion(stdout)
    return parsed?.flavor === flavor ? parsed.version : undefined
  } catch {
    // A program that cannot even say its version is not one that we can use.
    return undefined
  }
}

async function findMariadb(): Promise<ServerBinaries> {
  const server = findOnPath('mariadbd') ?? findOnPath('mysqld')
  const version = server === undefined ? undefined : await versionOf([server], 'mariadb')
  const installer = findOnPath('mariadb-install-db')
  if (server === undefined || version === undefined || installer === undefined) {
    throw new LandbridgeError('ERR_SERVER_MISSING', 'this machine has no MariaDB server', {
      remedy: 'apt-get install mariadb-server, or run `npm run demo` once as root',
      details: { flavor: 'mariadb' },
    })
  }
  return {
    flavor: 'mariadb',
    version,
    server: [server],
    baseOptions: [],
    binlogTool: [findOnPath('mariadb-binlog') ?? 'mariadb-binlog'],
    client: [findOnPath('mariadb') ?? 'mariadb'],
    installer: [installer],
  }
}

/** Where the newer MariaDB is below the root of sid. */
export const NEWER_FOLDER = 'opt/mariadb/usr'
const SYSTEM_TABLES = [
  'mariadb_system_tables.sql',
  'mariadb_performance_tables.sql',
  'mariadb_system_tables_data.sql',
  'fill_help_tables.sql',
  'maria_add_gis_sp_bootstrap.sql',
  'mariadb_sys_schema.sql',
]

async function findNewer(flavor: Flavor): Promise<ServerBinaries> {
  const server = sidProgram(`${NEWER_FOLDER}/sbin/mariadbd`)
  const binlogTool = sidProgram(`${NEWER_FOLDER}/bin/mariadb-binlog`)
  const client = sidProgram(`${NEWER_FOLDER}/bin/mariadb`)
  const version = server === undefined ? undefined : await versionOf(server, 'mariadb')
  const isComplete = server && version && binlogTool && client
  if (flavor !== 'mariadb' || !isComplete) {
    throw new LandbridgeError('ERR_SERVER_MISSING', `this machine has no newer ${flavor}`, {
      remedy: 'run `npm test` once as root, which unpacks the MariaDB of Debian sid',
      details: { flavor },
    })
  }
  const share = join(sidRoot(), NEWER_FOLDER, 'share/mariadb')
  return {
    flavor,
    version,
    server,
    baseOptions: [
      `--basedir=${join(sidRoot(), NEWER_FOLDER)}`,
      `--lc-messages-dir=${share}`,
      `--character-sets-dir=${join(share, 'charsets')}`,
    ],
    binlogTool,
    client,
    installer: undefined,
    systemTables: SYSTEM_TABLES.map((name) => join(share, name)),
  }
}

async function findMysql(): Promise<ServerBinaries> {
  const binaries = (await mysqlOnPath()) ?? (await mysqlOfSid())
  if (binaries !== undefined) return binaries
  throw new LandbridgeError('ERR_SERVER_MISSING', 'this machine has no MySQL server 8.4 or newer', {
    remedy: 'put a mysqld >= 8.4 on PATH, or run `npm run demo -- --flavor mysql` once as root',
    details: { flavor: 'mysql', sidRoot: sidRoot() },
  })
}

async function mysqlOnPath(): Promise<ServerBinaries | undefined> {
  const server = findOnPath('mysqld')
  const version = server === undefined ? undefined : await versionOf([server], 'mysql')
  if (server === undefined || version === undefined || !isRecentEnough(version)) return undefined
  return {
    flavor: 'mysql',
    version,
    server: [server],
    baseOptions: [],
    binlogTool: [findOnPath('mysqlbinlog') ?? 'mysqlbinlog'],
    client: [findOnPath('mysql') ?? 'mysql'],
    installer: undefined,
  }
}

async function mysqlOfSid(): Promise<ServerBinaries | undefined> {
  const server = sidProgram('usr/sbin/mysqld')
  const binlogTool = sidProgram('usr/bin/mysqlbinlog')
  const client = sidProgram('usr/bin/mysql')
  if (server === undefined || binlogTool === undefined || client === undefined) return undefined
  const version = await versionOf(server, 'mysql')
  if (version === undefined || !isRecentEnough(version)) return undefined
  const root = sidRoot()
  return {
    flavor: 'mysql',
    version,
    server,
    baseOptions: [
      `--basedir=${join(root, 'usr')}`,
      `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
      `--lc-messages-dir=${join(root, 'usr/share/mysql')}`,
      `--character-sets-dir=${join(root, 'usr/share/mysql/charsets')}`,
    ],
    binlogTool: [...binlogTool],
    client: [...client],
    installer: undefined,
  }
}

export function isRecentEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [majorMin, minorMin] = MYSQL_VERSION_MIN
  return major > majorMin || (major === majorMin && minor >= minorMin)
}
