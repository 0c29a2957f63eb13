import { isLandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { REPLICA_ASKED_FOR, REPLICA_STANDING } from '../mysql/relay-variables.ts'
import type { SqlLogin, SqlRow } from '../mysql/sql-login.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'
import {
  type ConnectionSettings,
  MYSQL_SETTINGS_QUERY,
  readSettings,
} from './connection-settings.ts'
import {
  findOurs,
  type RelayAddress,
  type ReplicaConnection,
  readConnections,
} from './replica-connection.ts'
import {
  newConnectionFilters,
  newConnectionQuery,
  serverFilters,
  serverSettingsQuery,
} from './replica-filters.ts'

/** How a server is set up as a replica, as far as attaching it depends on it. */
export interface ReplicaFacts {
  readonly flavor: Flavor
  readonly version: string
  readonly serverId: number
  /** MySQL only. */
  readonly serverUuid: string | null
  /** MySQL: gtid_mode. MariaDB has no switch: always `ON`. */
  readonly gtidMode: string
  /** MySQL: gtid_executed. MariaDB: gtid_slave_pos. */
  readonly gtids: string
  readonly isReadOnly: boolean
  /** MySQL: it insists on compression, whatever its channels say. MariaDB takes what it gets. */
  readonly insistsOnCompression: boolean
  /** False under the SQL mode NO_BACKSLASH_ESCAPES. */
  readonly backslashEscapes: boolean
  /** Its connection to this relay; null when there is none. */
  readonly following: ReplicaConnection | null
  /** The sources that it follows besides. */
  readonly others: readonly ReplicaConnection[]
  /** Settings of the whole server by which it leaves out, or passes over, what a source wrote. */
  readonly filters: readonly string[]
  /** Those that a connection without a name begins with; null when the login may not see them. */
  readonly newFilters: readonly string[] | null
  /** What else each connection was told, by its name; null when the login may not see it. */
  readonly settings: Readonly<Record<string, ConnectionSettings>> | null
}

/** What a relay says of itself and of the source behind it. */
export interface RelayFacts {
  readonly flavor: Flavor
  readonly serverId: number
  readonly serverUuid: string | null
  readonly sourceServerId: number
  readonly sourceServerUuid: string | null
  /** Everything held, also what is purged. */
  readonly gtids: string
  readonly purgedGtids: string
  /** When a reset of the source was noticed, as text; null for none. */
  readonly resetAt: string | null
  /** Of the replica that was asked for. */
  readonly standing: ReplicaStanding
}

/** errno of ER_TABLEACCESS_DENIED_ERROR: a login without the grant on performance_schema. */
const TABLE_ACCESS_DENIED = 1142
const COMPRESSION_QUERY = "SHOW GLOBAL VARIABLES LIKE 'replica_compressed_protocol'"
const STANDINGS: readonly ReplicaStanding[] = ['sound', 'unseen', 'outdated', 'doubtful']

/** `relay`: by what the connection to it is known among others. */
export async function readReplicaFacts(
  login: SqlLogin,
  relay: RelayAddress,
): Promise<ReplicaFacts> {
  const { version } = await flavorOf(login)
  const isMaria = isMariadb(version)
  const server = isMaria ? await readMariadb(login, version) : await readMysql(login, version)
  const status = isMaria ? 'SHOW ALL SLAVES STATUS' : 'SHOW REPLICA STATUS'
  const rows = await login.query(status)
  const connections = readConnections(rows)
  const following = findOurs(connections, relay)
  const { flavor } = server
  return {
    ...server,
    following,
    others: connections.filter((one) => one !== following),
    filters: serverFilters(flavor, await login.query(serverSettingsQuery(flavor))),
    newFilters: await ifAllowed(async () =>
      newConnectionFilters(await login.query(newConnectionQuery(flavor))),
    ),
    settings: await ifAllowed(async () =>
      readSettings(flavor, isMaria ? rows : await login.query(MYSQL_SETTINGS_QUERY)),
    ),
  }
}

/** Null where the login may not see it. */
async function ifAllowed<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (isLandbridgeError(error) && error.details?.errno === TABLE_ACCESS_DENIED) return null
    throw error
  }
}

type ServerFacts = Omit<
  ReplicaFacts,
  'following' | 'others' | 'filters' | 'newFilters' | 'settings'
>

async function readMysql(login: SqlLogin, version: string): Promise<ServerFacts> {
  const row = await login.row(
    'SELECT @@GLOBAL.server_id AS id, @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_mode AS mode, ' +
      '@@GLOBAL.gtid_executed AS gtids, @@GLOBAL.super_read_only AS readOnly, ' +
      '@@SESSION.sql_mode AS sqlMode',
  )
  return {
    flavor: 'mysql',
    version,
    serverId: Number(row?.id),
    serverUuid: text(row?.uuid),
    gtidMode: text(row?.mode),
    gtids: text(row?.gtids).replaceAll(/\s/g, ''),
    isReadOnly: Number(row?.readOnly) === 1,
    // Deprecated: a version without it answers with no row.
    insistsOnCompression: text((await login.row(COMPRESSION_QUERY))?.Value).toUpperCase() === 'ON',
    backslashEscapes: hasBackslashEscapes(row),
  }
}

async function readMariadb(login: SqlLogin, version: string): Promise<ServerFacts> {
  const row = await login.row(
    'SELECT @@GLOBAL.server_id AS id, @@GLOBAL.gtid_slave_pos AS gtids, ' +
      '@@GLOBAL.read_only AS readOnly, @@SESSION.sql_mode AS sqlMode',
  )
  return {
    flavor: 'mariadb',
    version,
    serverId: Number(row?.id),
    serverUuid: null,
    gtidMode: 'ON',
    gtids: text(row?.gtids),
    insistsOnCompression: false,
    // Newer versions say NO_LOCK and other words for it.
    isReadOnly: !['0', 'OFF'].includes(text(row?.readOnly)),
    backslashEscapes: hasBackslashEscapes(row),
  }
}

/** `replica`: its key, whose standing is asked for. */
export async function readRelayFacts(login: SqlLogin, replica: string): Promise<RelayFacts> {
  const { version } = await flavorOf(login)
  const isMaria = isMariadb(version)
  const names = isMaria
    ? 'NULL AS uuid, @@gtid_binlog_state AS gtids'
    : '@@server_uuid AS uuid, @@gtid_executed AS gtids'
  await login.query(`SET @${REPLICA_ASKED_FOR} = '${replica}'`)
  const row = await login.row(
    `SELECT @@server_id AS id, @@landbridge_source_server_id AS sourceId, ` +
      `@@landbridge_source_server_uuid AS sourceUuid, @@landbridge_source_reset AS resetAt, ` +
      `@@${REPLICA_STANDING} AS standing, @@landbridge_purged_gtids AS purged, ${names}`,
  )
  return {
    flavor: isMaria ? 'mariadb' : 'mysql',
    serverId: Number(row?.id),
    serverUuid: text(row?.uuid) || null,
    sourceServerId: Number(row?.sourceId),
    sourceServerUuid: text(row?.sourceUuid) || null,
    gtids: text(row?.gtids),
    purgedGtids: text(row?.purged),
    resetAt: text(row?.resetAt) || null,
    standing: STANDINGS.find((standing) => standing === row?.standing) ?? 'doubtful',
  }
}

async function flavorOf(login: SqlLogin): Promise<{ readonly version: string }> {
  const row = await login.row('SELECT VERSION() AS version')
  return { version: text(row?.version) }
}

function hasBackslashEscapes(row: SqlRow | null): boolean {
  return !text(row?.sqlMode).split(',').includes('NO_BACKSLASH_ESCAPES')
}

function isMariadb(version: string): boolean {
  return /mariadb/i.test(version)
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value)
}
