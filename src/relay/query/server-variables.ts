import { parseGtidSet } from '../../binlog/gtid-set.ts'
import type { SourceIdentity } from '../../binlog/log.ts'
import { MariadbGtidState } from '../../binlog/mariadb-gtid-state.ts'
import type { ServedLog } from '../served-log.ts'

/** A login that does not dump is let go after so long without a statement. */
export const IDLE_SECONDS = 60
/** A client is cut off that takes nothing of what it asked for within this time. */
export const WRITE_SECONDS = 60

export interface RelayIdentity {
  readonly serverId: number
  readonly serverUuid: string
}

/** What the relay says its version is: the source's, so that a replica behaves as towards it. */
export function relayVersion(source: SourceIdentity): string {
  const number = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(source.serverVersion)
  const [, major = '0', minor = '0', patch = '0'] = number ?? []
  const version = `${major}.${minor}.${patch}`
  if (source.flavor === 'mysql') return `${version}-landbridge`
  // Old clients take a first number of 10 for the protocol version, hence MariaDB's own prefix.
  return `${Number(major) === 10 ? '5.5.5-' : ''}${version}-MariaDB-landbridge`
}

/** When the reset was noticed that the present lineage began with; empty for none. */
function resetTime(store: ServedLog): string {
  const lineage = store.lineage()
  return lineage === null ? '' : new Date(lineage.startedAtMs).toISOString()
}

/** System variables by name, in lower case. Unknown ones are unknown to the server as well. */
export function serverVariables(
  store: ServedLog,
  source: SourceIdentity,
  relay: RelayIdentity,
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>([
    ['autocommit', '1'],
    ['binlog_checksum', 'CRC32'],
    ['binlog_format', 'ROW'],
    ['binlog_row_image', 'FULL'],
    ['character_set_client', 'utf8mb4'],
    ['character_set_server', 'utf8mb4'],
    ['hostname', 'landbridge'],
    ['interactive_timeout', String(IDLE_SECONDS)],
    ['landbridge_source_reset', resetTime(store)],
    ['landbridge_purged_gtids', store.purgedGtids()],
    ['landbridge_source_server_id', String(source.serverId)],
    ['landbridge_source_server_uuid', source.serverUuid ?? ''],
    ['license', 'MIT'],
    ['log_bin', '1'],
    ['lower_case_table_names', '0'],
    ['max_allowed_packet', String(2 ** 30)],
    ['net_read_timeout', '60'],
    ['net_write_timeout', String(WRITE_SECONDS)],
    ['protocol_version', '10'],
    ['read_only', '1'],
    ['server_id', String(relay.serverId)],
    ['sql_mode', ''],
    ['system_time_zone', 'UTC'],
    ['time_zone', 'SYSTEM'],
    ['version', relayVersion(source).replace(/^5\.5\.5-/, '')],
    ['version_comment', 'landbridge binlog relay'],
    ['wait_timeout', String(IDLE_SECONDS)],
  ])
  const own = source.flavor === 'mysql' ? mysqlVariables : mariadbVariables
  for (const [name, value] of own(store, source, relay)) variables.set(name, value)
  return variables
}

function mysqlVariables(
  store: ServedLog,
  _source: SourceIdentity,
  relay: RelayIdentity,
): [string, string][] {
  return [
    ['enforce_gtid_consistency', 'ON'],
    ['gtid_executed', store.gtids()],
    ['gtid_mode', 'ON'],
    ['gtid_purged', store.purgedGtids()],
    ['server_uuid', relay.serverUuid],
    ['super_read_only', '1'],
  ]
}

function mariadbVariables(store: ServedLog, source: SourceIdentity): [string, string][] {
  const state = parseGtidSet('mariadb', store.gtids())
  const text = state instanceof MariadbGtidState ? state.toStateString() : ''
  return [
    ['gtid_binlog_pos', state.toString()],
    ['gtid_binlog_state', text],
    ['gtid_current_pos', state.toString()],
    ['gtid_domain_id', String(source.gtidDomainId ?? 0)],
    ['gtid_slave_pos', ''],
    ['gtid_strict_mode', '1'],
  ]
}
