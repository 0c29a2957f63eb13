import type { Flavor } from '../base/flavor.ts'

type Row = Readonly<Record<string, unknown>>

/** What a connection has now, by the option that sets it, as the server shows it. */
export type ConnectionSettings = Readonly<Record<string, string>>

interface Setting {
  /** Of CHANGE REPLICATION SOURCE or of CHANGE MASTER. */
  readonly option: string
  /** Where the server shows it. */
  readonly column: string
  /** What a connection to a relay has, as SQL. */
  readonly value: string
  /** On a connection to this relay it is a person's choice, and stays. */
  readonly isChoice?: true
}

function choice(option: string, column: string, value = "''"): Setting {
  return { option, column, value, isChoice: true }
}

/**
 * What `CHANGE` leaves alone when it is not named: it would be left of the source of before. Where
 * the relay is and how it is verified differs each time, and is not here.
 */
const SETTINGS: Readonly<Record<Flavor, readonly Setting[]>> = {
  mysql: [
    choice('SOURCE_CONNECT_RETRY', 'CONNECTION_RETRY_INTERVAL', '1'),
    // Without an end: a relay that is away for a day is found again.
    { option: 'SOURCE_RETRY_COUNT', column: 'CONNECTION_RETRY_COUNT', value: '0' },
    choice('SOURCE_HEARTBEAT_PERIOD', 'HEARTBEAT_INTERVAL', '2'),
    {
      option: 'SOURCE_COMPRESSION_ALGORITHMS',
      column: 'COMPRESSION_ALGORITHM',
      value: "'uncompressed'",
    },
    {
      option: 'SOURCE_CONNECTION_AUTO_FAILOVER',
      column: 'SOURCE_CONNECTION_AUTO_FAILOVER',
      value: '0',
    },
    {
      option: 'ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS',
      column: 'ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS_TYPE',
      value: 'OFF',
    },
    choice('SOURCE_DELAY', 'DESIRED_DELAY', '0'),
    choice('SOURCE_BIND', 'NETWORK_INTERFACE'),
    choice('NETWORK_NAMESPACE', 'NETWORK_NAMESPACE'),
    choice('SOURCE_ZSTD_COMPRESSION_LEVEL', 'ZSTD_COMPRESSION_LEVEL', '3'),
    choice('SOURCE_SSL_CAPATH', 'SSL_CA_PATH'),
    choice('SOURCE_SSL_CERT', 'SSL_CERTIFICATE'),
    choice('SOURCE_SSL_KEY', 'SSL_KEY'),
    choice('SOURCE_SSL_CIPHER', 'SSL_CIPHER'),
    choice('SOURCE_SSL_CRL', 'SSL_CRL_FILE'),
    choice('SOURCE_SSL_CRLPATH', 'SSL_CRL_PATH'),
    choice('SOURCE_TLS_VERSION', 'TLS_VERSION'),
    choice('SOURCE_TLS_CIPHERSUITES', 'TLS_CIPHERSUITES', 'NULL'),
    choice('SOURCE_PUBLIC_KEY_PATH', 'PUBLIC_KEY_PATH'),
    choice('GET_SOURCE_PUBLIC_KEY', 'GET_PUBLIC_KEY', '0'),
    choice('PRIVILEGE_CHECKS_USER', 'PRIVILEGE_CHECKS_USER', 'NULL'),
    choice('REQUIRE_ROW_FORMAT', 'REQUIRE_ROW_FORMAT', '0'),
    choice('REQUIRE_TABLE_PRIMARY_KEY_CHECK', 'REQUIRE_TABLE_PRIMARY_KEY_CHECK', 'STREAM'),
    choice('GTID_ONLY', 'GTID_ONLY', '0'),
  ],
  mariadb: [
    choice('MASTER_CONNECT_RETRY', 'Connect_Retry', '1'),
    choice('MASTER_HEARTBEAT_PERIOD', 'Slave_heartbeat_period', '2'),
    choice('MASTER_DELAY', 'SQL_Delay', '0'),
    choice('MASTER_SSL_CAPATH', 'Master_SSL_CA_Path'),
    choice('MASTER_SSL_CERT', 'Master_SSL_Cert'),
    choice('MASTER_SSL_KEY', 'Master_SSL_Key'),
    choice('MASTER_SSL_CIPHER', 'Master_SSL_Cipher'),
    choice('MASTER_SSL_CRL', 'Master_SSL_Crl'),
    choice('MASTER_SSL_CRLPATH', 'Master_SSL_Crlpath'),
  ],
}

/** The options by which `CHANGE` itself leaves out data; the other filters have statements. */
const FILTER_OPTIONS: Readonly<Record<Flavor, readonly string[]>> = {
  mysql: ['IGNORE_SERVER_IDS'],
  mariadb: ['IGNORE_SERVER_IDS', 'DO_DOMAIN_IDS', 'IGNORE_DOMAIN_IDS'],
}

export function filterOptions(flavor: Flavor): readonly string[] {
  return FILTER_OPTIONS[flavor]
}

const DELAY = { mysql: 'SOURCE_DELAY', mariadb: 'MASTER_DELAY' } as const

export const MYSQL_SETTINGS_QUERY =
  'SELECT * FROM performance_schema.replication_connection_configuration ' +
  'JOIN performance_schema.replication_applier_configuration USING (CHANNEL_NAME)'

/** Rows of MYSQL_SETTINGS_QUERY or of SHOW ALL SLAVES STATUS, by the name of the connection. */
export function readSettings(
  flavor: Flavor,
  rows: readonly Row[],
): Readonly<Record<string, ConnectionSettings>> {
  const name = flavor === 'mysql' ? 'CHANNEL_NAME' : 'Connection_name'
  return Object.fromEntries(rows.map((row) => [String(row[name]), settingsOf(flavor, row)]))
}

function settingsOf(flavor: Flavor, row: Row): ConnectionSettings {
  // One that a version does not show is not known, which is not the same as empty.
  const shown = SETTINGS[flavor].filter(({ column }) => column in row)
  return Object.fromEntries(shown.map(({ option, column }) => [option, shownAs(row[column])]))
}

export interface SettingsChoice {
  /** Of a connection that followed this relay before, a person's choices stay. */
  readonly isOurs: boolean
  /** Null: as it is on ours, 0 on another. */
  readonly delaySeconds: number | null
  /** The filters of the connection stay. */
  readonly keepsFilters: boolean
}

/** `OPTION=value`, for CHANGE. */
export function settingOptions(flavor: Flavor, wanted: SettingsChoice): string[] {
  const set = wantedSettings(flavor, wanted).map(({ option, value }) => `${option}=${value}`)
  const filters = wanted.keepsFilters ? [] : FILTER_OPTIONS[flavor]
  return [...set, ...filters.map((option) => `${option}=()`)]
}

/** What CHANGE turns into something else. */
export interface SettingChange {
  readonly option: string
  readonly before: string
  readonly after: string
}

export function settingChanges(
  flavor: Flavor,
  wanted: SettingsChoice,
  found: ConnectionSettings,
): SettingChange[] {
  return wantedSettings(flavor, wanted).flatMap(({ option, value }) => {
    const [before, after] = [found[option], plainText(value)]
    return before === undefined || isSame(before, after) ? [] : [{ option, before, after }]
  })
}

/** The same of the authority that the source is verified with. */
export function authorityChange(
  flavor: Flavor,
  before: string | null,
  after: string | null,
): SettingChange[] {
  if (before === after) return []
  const option = flavor === 'mysql' ? 'SOURCE_SSL_CA' : 'MASTER_SSL_CA'
  return [{ option, before: before ?? '', after: after ?? '' }]
}

/**
 * Whether a connection to this relay cannot go on as it is: it would give up, go to another source
 * by itself, or ask for a compression that the relay does not have.
 */
export function mustChange(flavor: Flavor, found: ConnectionSettings): boolean {
  if (flavor === 'mariadb') return false
  const algorithms = (found.SOURCE_COMPRESSION_ALGORITHMS ?? 'uncompressed').split(',')
  const endless = ['SOURCE_RETRY_COUNT', 'SOURCE_CONNECTION_AUTO_FAILOVER']
  return (
    !algorithms.includes('uncompressed') || endless.some((option) => (found[option] ?? '0') !== '0')
  )
}

function wantedSettings(flavor: Flavor, wanted: SettingsChoice): Setting[] {
  const { isOurs, delaySeconds } = wanted
  return SETTINGS[flavor].flatMap((setting) => {
    const isDelay = setting.option === DELAY[flavor]
    if (isDelay && delaySeconds !== null) return [{ ...setting, value: `${delaySeconds}` }]
    return isOurs && setting.isChoice === true ? [] : [setting]
  })
}

function isSame(left: string, right: string): boolean {
  // Heartbeats are shown with fractions.
  return left === right || (left !== '' && right !== '' && Number(left) === Number(right))
}

function plainText(sql: string): string {
  return sql === 'NULL' ? '' : sql.replace(/^'(.*)'$/, '$1')
}

function shownAs(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  return text === 'YES' ? '1' : text === 'NO' ? '0' : text
}
