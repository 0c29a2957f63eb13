import type { RowDataPacket } from 'mysql2'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { isServerRefused, type SqlAddress, sqlConnect } from '../mysql/sql-connect.ts'
import { findOurs, type RelayAddress, readConnections } from './replica-connection.ts'
import { serverFilters, serverSettingsQuery } from './replica-filters.ts'
import { describeMariadbReplica, describeMysqlReplica, notSetUp } from './replica-threads.ts'

export type ReplicaLogin = SqlAddress

export interface ReplicaIdentity {
  readonly flavor: Flavor
  readonly serverId: number
  /** MySQL only. */
  readonly serverUuid: string | null
  readonly version: string
}

/** How a replica follows our relay. What it follows besides is none of our business. */
export interface Replication {
  /** Why it does not run, in the server's words; null when it runs. */
  readonly stopReason: string | null
  readonly isApplying: boolean
  /** How long it waits on purpose before it applies; null when it does not follow us. */
  readonly delaySeconds: number | null
  /** Until it applies what comes next; null when it does not wait just now. */
  readonly remainingDelaySeconds: number | null
  /**
   * Settings by which data of the source are left out, or passed over when they do not fit, as
   * `name=value`; null when it does not follow us.
   */
  readonly filters: readonly string[] | null
}

/** What is asked of a replica, as one open connection. */
export interface ReplicaQueries {
  readonly identity: ReplicaIdentity
  applied(): Promise<string>
  replication(): Promise<Replication>
  close(): void
}

type Rows = (sql: string) => Promise<Record<string, unknown>[]>

/** Where MySQL says what its threads do; a grant of its own, beside those on `*.*`. */
export const MYSQL_THREADS_GRANT = 'SELECT ON performance_schema.*'

const CONNECT_MS_MAX = 5_000
const QUERY_MS_MAX = 5_000

const MYSQL_THREADS = `
  SELECT CHANNEL_NAME AS channel, 'receiver' AS thread, SERVICE_STATE AS state,
         LAST_ERROR_NUMBER AS number, LAST_ERROR_MESSAGE AS message
    FROM performance_schema.replication_connection_status
  UNION ALL SELECT CHANNEL_NAME, 'applier', SERVICE_STATE, 0, ''
    FROM performance_schema.replication_applier_status
  UNION ALL SELECT CHANNEL_NAME, 'coordinator', 'ON', LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE
    FROM performance_schema.replication_applier_status_by_coordinator
  UNION ALL SELECT CHANNEL_NAME, 'worker', 'ON', LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE
    FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER <> 0`

/** Throws ERR_REPLICA_UNREACHABLE, or the error of a server that `sqlConnect` refuses. */
export async function openReplica(
  login: ReplicaLogin,
  relay: RelayAddress | null,
  signal: AbortSignal,
): Promise<ReplicaQueries> {
  try {
    return await open(login, relay, signal)
  } catch (cause) {
    if (isServerRefused(cause)) throw cause
    const { host, port, user } = login
    throw new LandbridgeError(
      'ERR_REPLICA_UNREACHABLE',
      `cannot ask the replica at ${host}:${port} as ${user}`,
      {
        cause,
        retryable: true,
        details: { host, port, user },
        remedy:
          'See that the replica runs, and host, port, user and password file of the `database` ' +
          'section; `landbridge check --config FILE` tries the login.',
      },
    )
  }
}

async function open(
  login: ReplicaLogin,
  relay: RelayAddress | null,
  signal: AbortSignal,
): Promise<ReplicaQueries> {
  const connection = await sqlConnect(login, { connectTimeout: CONNECT_MS_MAX }, signal)
  const close = (): void => connection.destroy()
  try {
    const rows: Rows = async (sql) => {
      const query = { sql, timeout: QUERY_MS_MAX }
      const [result] = await connection
        .promise()
        .query<RowDataPacket[]>(query)
        .catch((cause: unknown) => {
          throw queryFailed(login, cause)
        })
      return result
    }
    const identity = await askIdentity(rows)
    return { identity, close, ...queriesOf(identity.flavor, relay, rows) }
  } catch (error) {
    close()
    throw error
  }
}

/** errno of ER_TABLEACCESS_DENIED_ERROR and ER_SPECIFIC_ACCESS_DENIED_ERROR. */
const DENIED = [1142, 1227]

function queryFailed({ user }: ReplicaLogin, cause: unknown): LandbridgeError {
  const errno = cause instanceof Error && 'errno' in cause ? Number(cause.errno) : null
  const remedy =
    'Grant the login what `landbridge replica --help` lists: ' +
    `on MySQL also GRANT ${MYSQL_THREADS_GRANT} TO '${user}'@'%'.`
  const isDenied = errno !== null && DENIED.includes(errno)
  return new LandbridgeError('ERR_REPLICA_QUERY', `the replica does not answer ${user}`, {
    cause,
    retryable: true,
    ...(isDenied && { remedy }),
  })
}

async function askIdentity(rows: Rows): Promise<ReplicaIdentity> {
  const [first] = await rows('SELECT @@GLOBAL.version AS version, @@GLOBAL.server_id AS id')
  const version = String(first?.version)
  const serverId = Number(first?.id)
  if (/mariadb/i.test(version)) return { flavor: 'mariadb', serverId, serverUuid: null, version }
  const [second] = await rows('SELECT @@GLOBAL.server_uuid AS uuid')
  return { flavor: 'mysql', serverId, serverUuid: String(second?.uuid), version }
}

function queriesOf(
  flavor: Flavor,
  relay: RelayAddress | null,
  rows: Rows,
): Pick<ReplicaQueries, 'applied' | 'replication'> {
  const variable = flavor === 'mysql' ? 'gtid_executed' : 'gtid_slave_pos'
  return {
    applied: async () => textOf(await rows(`SELECT @@GLOBAL.${variable} AS gtids`)),
    replication: () => askReplication(flavor, relay, rows),
  }
}

async function askReplication(
  flavor: Flavor,
  relay: RelayAddress | null,
  rows: Rows,
): Promise<Replication> {
  const isMysql = flavor === 'mysql'
  const status = await rows(isMysql ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS')
  // Also where nothing follows us yet: a login that may not ask is to be known before.
  const threads = isMysql ? await rows(MYSQL_THREADS) : []
  const connections = readConnections(status)
  const ours = findOurs(connections, relay)
  if (ours === null) {
    const stopReason = notSetUp(connections)
    const unknown = { delaySeconds: null, remainingDelaySeconds: null, filters: null }
    return { stopReason, isApplying: false, ...unknown }
  }
  const { name, delaySeconds, remainingDelaySeconds } = ours
  const stopReason = isMysql
    ? describeMysqlReplica(threads.filter(({ channel }) => channel === name))
    : describeMariadbReplica(status.filter(({ Connection_name: own }) => own === name))
  const server = serverFilters(flavor, await rows(serverSettingsQuery(flavor)))
  const filters = [...ours.filters, ...server]
  const isApplying = ours.applier === 'running'
  return { stopReason, isApplying, delaySeconds, remainingDelaySeconds, filters }
}

/** MySQL breaks long sets into lines. */
function textOf(rows: readonly Record<string, unknown>[]): string {
  return String(rows[0]?.gtids ?? '').replaceAll(/\s/g, '')
}
