import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { isBinlogName, unusableName } from '../binlog/binlog-name.ts'
import { ifAllowed, type SourceConnection, type SourceRow } from './source-connection.ts'

/** What the source says of itself, read anew on every connect. */
export interface SourceFacts {
  readonly flavor: Flavor
  /** `@@version`, e.g. `9.7.4` or `10.11.19-MariaDB-log`. */
  readonly serverVersion: string
  readonly serverId: number
  readonly serverUuid: string | null
  readonly gtidDomainId: number | null
  readonly logBin: boolean
  readonly binlogFormat: string
  readonly rowImage: string
  readonly checksum: boolean
  readonly gtidMode: string
  readonly netWriteTimeoutSeconds: number
  /** Null: never removed by age. */
  readonly retentionSeconds: number | null
  /** GTIDs of every transaction in the source's history; of MariaDB its `gtid_binlog_state`. */
  readonly executedGtids: string
  /**
   * MariaDB: where it stood as a replica (`gtid_slave_pos`), which its own history need not have
   * when it was made from a backup. Empty on MySQL, where the history has it.
   */
  readonly replicatedGtids: string
  /** GTIDs that are no longer in a binlog file of the source. */
  readonly purgedGtids: string
  /** Oldest first. Empty when the login may not list them. */
  readonly files: readonly SourceFile[]
}

export interface SourceFile {
  readonly name: string
  readonly bytes: number
}

/** Throws ERR_BINLOG_NAME when a file cannot be stored under its name, nor be asked for. */
export async function readSourceFacts(connection: SourceConnection): Promise<SourceFacts> {
  const version = (await connection.value('SELECT @@version')) ?? ''
  const flavor: Flavor = /mariadb/i.test(version) ? 'mariadb' : 'mysql'
  const variables = await readVariables(connection)
  const common = commonFacts(variables)
  const files = common.logBin ? ((await ifAllowed(readSourceFiles(connection))) ?? []) : []
  const unusable = files.find(({ name }) => !isBinlogName(name))
  if (unusable !== undefined) throw unusableName(unusable.name)
  const own =
    flavor === 'mysql' ? await readMysql(connection) : await readMariadb(connection, files)
  return { flavor, serverVersion: version, ...common, files, ...own }
}

export async function readSourceFiles(connection: SourceConnection): Promise<SourceFile[]> {
  const rows = await connection.query('SHOW BINARY LOGS')
  return rows.map(sourceFile)
}

/** What stands before the first event of a file that MySQL encrypts; no dump carries it. */
const ENCRYPTION_HEADER_BYTES = 512

/** A row of SHOW BINARY LOGS, in bytes as a dump sends them. */
export function sourceFile(row: SourceRow): SourceFile {
  const headerBytes = row.Encrypted === 'Yes' ? ENCRYPTION_HEADER_BYTES : 0
  return { name: String(row.Log_name), bytes: Number(row.File_size) - headerBytes }
}

const VARIABLES = [
  'binlog_checksum',
  'binlog_encryption',
  'binlog_expire_logs_auto_purge',
  'binlog_expire_logs_seconds',
  'binlog_format',
  'binlog_row_image',
  'binlog_row_metadata',
  'binlog_row_value_options',
  'binlog_space_limit',
  'binlog_transaction_compression',
  'encrypt_binlog',
  'enforce_gtid_consistency',
  'expire_logs_days',
  'innodb_flush_log_at_trx_commit',
  'log_bin',
  'log_bin_compress',
  'max_binlog_total_size',
  'net_write_timeout',
  'server_id',
  'sync_binlog',
]

/** By name; those that this flavour or version does not have are absent, not an error. */
export async function readVariables(
  connection: SourceConnection,
): Promise<ReadonlyMap<string, string>> {
  const names = VARIABLES.map((name) => `'${name}'`).join(', ')
  const rows = await connection.query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`)
  if (rows.length === 0) throw new LandbridgeError('ERR_SOURCE_QUERY', 'no row of variables')
  return new Map(rows.map((row) => [String(row.Variable_name), String(row.Value)]))
}

type CommonFacts = Pick<
  SourceFacts,
  | 'serverId'
  | 'logBin'
  | 'binlogFormat'
  | 'rowImage'
  | 'checksum'
  | 'netWriteTimeoutSeconds'
  | 'retentionSeconds'
>

function commonFacts(variables: ReadonlyMap<string, string>): CommonFacts {
  return {
    serverId: Number(variables.get('server_id')),
    logBin: variables.get('log_bin') === 'ON',
    // Deprecated in MySQL: a server without the variable knows no other format.
    binlogFormat: variables.get('binlog_format') ?? 'ROW',
    rowImage: variables.get('binlog_row_image') ?? 'FULL',
    checksum: variables.get('binlog_checksum') === 'CRC32',
    netWriteTimeoutSeconds: Number(variables.get('net_write_timeout')),
    retentionSeconds: retentionOf(variables),
  }
}

/** Null: never by age. 0 means that in both flavours. */
function retentionOf(variables: ReadonlyMap<string, string>): number | null {
  if (variables.get('binlog_expire_logs_auto_purge') === 'OFF') return null
  const days = Number(variables.get('expire_logs_days') ?? 0)
  const seconds = Number(variables.get('binlog_expire_logs_seconds') ?? days * 86_400)
  return seconds === 0 ? null : seconds
}

type OwnFacts = Pick<
  SourceFacts,
  'serverUuid' | 'gtidDomainId' | 'gtidMode' | 'executedGtids' | 'replicatedGtids' | 'purgedGtids'
>

async function readMysql(connection: SourceConnection): Promise<OwnFacts> {
  const [row] = await connection.query(
    'SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_mode AS mode,' +
      ' @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged',
  )
  return {
    serverUuid: String(row?.uuid),
    gtidDomainId: null,
    gtidMode: String(row?.mode),
    executedGtids: flat(row?.executed),
    replicatedGtids: '',
    purgedGtids: flat(row?.purged),
  }
}

async function readMariadb(
  connection: SourceConnection,
  files: readonly SourceFile[],
): Promise<OwnFacts> {
  const [row] = await connection.query(
    'SELECT @@GLOBAL.gtid_domain_id AS domain, @@GLOBAL.gtid_binlog_state AS executed,' +
      ' @@GLOBAL.gtid_slave_pos AS replicated',
  )
  const oldest = files[0]?.name
  const purged =
    oldest === undefined
      ? ''
      : await connection.value(`SELECT BINLOG_GTID_POS(${textOf(oldest)}, 4)`)
  return {
    serverUuid: null,
    gtidDomainId: Number(row?.domain),
    gtidMode: 'ON',
    executedGtids: flat(row?.executed),
    replicatedGtids: flat(row?.replicated),
    purgedGtids: flat(purged),
  }
}

/** Whatever the text has in it, and however the server reads quotes. */
function textOf(text: string): string {
  return `CONVERT(X'${Buffer.from(text).toString('hex')}' USING utf8mb4)`
}

function flat(value: unknown): string {
  return value === null || value === undefined ? '' : String(value).replace(/\s+/g, '')
}

/** Where the source's newest commit ends. */
export interface SourceNewest {
  readonly file: string
  readonly offset: number
  readonly gtids: string
}

/** Two statements for two flavours; the one that a server lacks is a parse error there. */
export function newestStatement(flavor: Flavor): string {
  return flavor === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS'
}

export async function readNewest(
  connection: SourceConnection,
  flavor: Flavor,
): Promise<SourceNewest | null> {
  const [row] = await connection.query(newestStatement(flavor))
  if (row === undefined) return null
  const gtids =
    flavor === 'mysql'
      ? flat(row.Executed_Gtid_Set)
      : flat(await connection.value('SELECT @@GLOBAL.gtid_binlog_pos'))
  return { file: String(row.File), offset: Number(row.Position), gtids }
}
