import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../base/flavor.ts'
import { ATTACH_GRANTS, roleChangeGrants } from '../../mysql/grants.ts'
import type { ProcessRecord } from '../hosts/lab-process.ts'
import { onHost } from '../hosts/namespaces.ts'
import type { LabPaths } from '../lab-paths.ts'
import { type LoginName, readPassword } from '../lab-secrets.ts'
import type { LabDatabase } from '../lab-shape.ts'
import { addressesOf } from '../lab-sites.ts'
import type { LoginRecord } from '../lab-state.ts'
import type { ServerRecord } from './server-options.ts'
import { connectSql } from './sql-connection.ts'
import { startServer } from './start-server.ts'

/** Small, so that even a short load goes over several files. */
const BINLOG_BYTES_MAX = 4 * 1024 * 1024

type Logins = Readonly<Record<LoginName, LoginRecord>>

/** Starts a database of the lab, new or with the data it has, so that it outlives this process. */
export async function startDatabase(
  paths: LabPaths,
  flavor: Flavor,
  { name, site, role, port, serverId }: LabDatabase,
  signal?: AbortSignal,
): Promise<ServerRecord> {
  const server = await startServer({
    flavor,
    directory: join(paths.dataDirectory, name),
    port,
    bindAddress: addressesOf(site).db,
    serverId,
    commandPrefix: onHost(paths, `${site}-db`),
    detached: true,
    maxBinlogBytes: BINLOG_BYTES_MAX,
    // A replica can fetch again what a power cut would cost it, and all share one disk here.
    durable: role === 'origin',
    ...(signal === undefined ? {} : { signal }),
  })
  if (role === 'copy') await forbidWrites(server.record())
  return server.record()
}

/** The state file's view of a server process; servers are started by startDatabase, not by argv. */
export function serverProcess(server: ServerRecord): ProcessRecord {
  const { pid, pidStartTicks, logFile } = server
  return { pid, pidStartTicks, argv: [], logFile }
}

async function forbidWrites(replica: ServerRecord): Promise<void> {
  const variable = replica.flavor === 'mysql' ? 'super_read_only' : 'read_only'
  await withRoot(replica, async (connection) => {
    await connection.query(`SET GLOBAL ${variable} = ON`)
  })
}

/** Accounts are made on each server by itself and are not part of what is replicated. */
export async function createAccounts(
  server: ServerRecord,
  role: LabDatabase['role'],
  logins: Logins,
): Promise<void> {
  await withRoot(server, async (connection) => {
    const { flavor } = server
    const readOnly = flavor === 'mysql' ? 'super_read_only' : 'read_only'
    if (role === 'copy') await connection.query(`SET GLOBAL ${readOnly} = OFF`)
    else await createAccount(connection, logins.relay, ['REPLICATION SLAVE'])
    const login = role === 'origin' ? logins.source : logins.replica
    // Roles move in a lab: every login may do what either of them takes.
    await createAccount(connection, login, [...ATTACH_GRANTS[flavor], ...roleChangeGrants(flavor)])
    if (flavor === 'mysql') {
      // Where MySQL says what its replication threads do.
      await connection.query(`GRANT SELECT ON performance_schema.* TO '${login.user}'@'%'`)
    }
    if (role === 'copy') await connection.query(`SET GLOBAL ${readOnly} = ON`)
  })
}

async function createAccount(
  connection: Connection,
  login: LoginRecord,
  grants: readonly string[],
): Promise<void> {
  const account = `'${login.user}'@'%'`
  await connection.query('SET SESSION sql_log_bin = 0')
  await connection.query(`CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY ?`, [
    readPassword(login),
  ])
  await connection.query(`GRANT ${grants.join(', ')} ON *.* TO ${account}`)
}

export async function withRoot<T>(
  server: Pick<ServerRecord, 'socket'>,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connectSql({ socket: server.socket })
  try {
    return await work(connection)
  } finally {
    await connection.end()
  }
}

/** Points the replica at a server: the relay, or the source itself in a lab without gateways. */
export async function attachReplica(
  replica: ServerRecord,
  from: { readonly host: string; readonly port: number },
  login: LoginRecord,
): Promise<void> {
  await withRoot(replica, async (connection) => {
    const values = [from.host, from.port, login.user, readPassword(login)]
    for (const statement of attachStatements(replica.flavor)) {
      await connection.query(statement, statement.includes('?') ? values : [])
    }
  })
}

function attachStatements(flavor: Flavor): string[] {
  if (flavor === 'mysql') {
    return [
      'STOP REPLICA',
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = ?,
         SOURCE_PASSWORD = ?, SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1,
         SOURCE_RETRY_COUNT = 1000000, SOURCE_HEARTBEAT_PERIOD = 2`,
      'START REPLICA',
    ]
  }
  return [
    'STOP SLAVE',
    `CHANGE MASTER TO MASTER_HOST = ?, MASTER_PORT = ?, MASTER_USER = ?, MASTER_PASSWORD = ?,
       MASTER_SSL = 1, MASTER_SSL_VERIFY_SERVER_CERT = 0, MASTER_USE_GTID = slave_pos,
       MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 2`,
    'START SLAVE',
  ]
}
