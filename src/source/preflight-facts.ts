import type { Clock } from '../base/clock.ts'
import type { Flavor } from '../base/flavor.ts'
import { NET_WRITE_TIMEOUT_SECONDS } from './dump-request.ts'
import { ifAllowed, type SourceConnection } from './source-connection.ts'
import { newestStatement, readVariables, type SourceFacts } from './source-facts.ts'

/** Who we are at the source. */
export interface PreflightSelf {
  /** Null while none was chosen: then nothing can clash with it. */
  readonly serverId: number | null
  readonly replicaUuid: string | null
  readonly reportHost: string
}

/** What the preflight judges, read in one go. */
export interface PreflightFacts {
  readonly source: SourceFacts
  readonly self: PreflightSelf
  /** By name in lower case; a variable that the server does not have is absent. */
  readonly variables: ReadonlyMap<string, string>
  /** `user@host` of the account that we are logged in as. */
  readonly account: string
  /** Statements as the server prints them. May hold password hashes: never show them whole. */
  readonly grants: readonly string[]
  /** Null when the login may not list them. */
  readonly replicas: readonly RegisteredReplica[] | null
  /** Null when there is no filter, or the login may not see it. */
  readonly filter: string | null
  /** What the server says after our dump's own statement. */
  readonly sessionNetWriteTimeoutSeconds: number
  /** Source's clock minus ours; known to within `clockErrorMs`. */
  readonly clockAheadMs: number
  readonly clockErrorMs: number
}

export interface RegisteredReplica {
  readonly serverId: number
  readonly uuid: string | null
  readonly host: string
}

export async function readPreflightFacts(
  connection: SourceConnection,
  source: SourceFacts,
  self: PreflightSelf,
  clock: Clock,
): Promise<PreflightFacts> {
  const variables = await readVariables(connection)
  const account = (await connection.value('SELECT CURRENT_USER()')) ?? ''
  const grants = (await connection.query('SHOW GRANTS')).flatMap((row) => Object.values(row))
  return {
    source,
    self,
    variables,
    account,
    grants: grants.map(String),
    replicas: await readReplicas(connection, source.flavor),
    filter: source.logBin ? await readFilter(connection, source.flavor) : null,
    sessionNetWriteTimeoutSeconds: await raiseNetWriteTimeout(connection),
    ...(await compareClocks(connection, clock)),
  }
}

async function readReplicas(
  connection: SourceConnection,
  flavor: Flavor,
): Promise<RegisteredReplica[] | null> {
  const sql = flavor === 'mysql' ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS'
  const rows = await ifAllowed(connection.query(sql))
  if (rows === null) return null
  return rows.map((row) => ({
    serverId: Number(row.Server_Id ?? row.Server_id),
    uuid: row.Replica_UUID === undefined ? null : String(row.Replica_UUID),
    host: String(row.Host ?? ''),
  }))
}

async function readFilter(connection: SourceConnection, flavor: Flavor): Promise<string | null> {
  const [row] = (await ifAllowed(connection.query(newestStatement(flavor)))) ?? []
  const taken = String(row?.Binlog_Do_DB ?? '')
  const ignored = String(row?.Binlog_Ignore_DB ?? '')
  const parts = [taken && `binlog_do_db = ${taken}`, ignored && `binlog_ignore_db = ${ignored}`]
  return parts.filter(Boolean).join(', ') || null
}

async function raiseNetWriteTimeout(connection: SourceConnection): Promise<number> {
  await connection.query(`SET SESSION net_write_timeout = ${NET_WRITE_TIMEOUT_SECONDS}`)
  return Number(await connection.value('SELECT @@SESSION.net_write_timeout'))
}

async function compareClocks(
  connection: SourceConnection,
  clock: Clock,
): Promise<Pick<PreflightFacts, 'clockAheadMs' | 'clockErrorMs'>> {
  // In a zone with summer time one hour of the year has two meanings.
  await connection.query("SET SESSION time_zone = '+00:00'")
  const askedMs = clock.wallMs()
  const seconds = Number(await connection.value('SELECT UNIX_TIMESTAMP(SYSDATE(6))'))
  const errorMs = (clock.wallMs() - askedMs) / 2
  return { clockAheadMs: seconds * 1000 - askedMs - errorMs, clockErrorMs: errorMs }
}
