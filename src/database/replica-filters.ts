import type { Flavor } from '../base/flavor.ts'

type Row = Readonly<Record<string, unknown>>

/** Columns of a replica's status that say what it leaves out, as the setting is called. */
const COLUMNS = {
  Replicate_Do_DB: 'replicate_do_db',
  Replicate_Ignore_DB: 'replicate_ignore_db',
  Replicate_Do_Table: 'replicate_do_table',
  Replicate_Ignore_Table: 'replicate_ignore_table',
  Replicate_Wild_Do_Table: 'replicate_wild_do_table',
  Replicate_Wild_Ignore_Table: 'replicate_wild_ignore_table',
  Replicate_Rewrite_DB: 'replicate_rewrite_db',
  Replicate_Do_Domain_Ids: 'DO_DOMAIN_IDS',
  Replicate_Ignore_Domain_Ids: 'IGNORE_DOMAIN_IDS',
  Replicate_Ignore_Server_Ids: 'IGNORE_SERVER_IDS',
} as const
/** How many groups are still to be left out. By GTID MySQL leaves out none, whatever it says. */
const SKIP_COUNTER = 'sql_slave_skip_counter'

/** Settings of the whole server, with the values by which nothing is left out or passed over. */
const HARMLESS = {
  mysql: {
    replica_skip_errors: 'OFF',
    replica_exec_mode: 'STRICT',
  },
  mariadb: {
    slave_skip_errors: 'OFF',
    slave_exec_mode: 'STRICT',
    replicate_events_marked_for_skip: 'REPLICATE',
  },
} as const

/** What a connection begins with that is made now. A rule that is empty says nothing. */
const OF_NEW_CONNECTION = {
  mysql:
    'SELECT LOWER(FILTER_NAME) AS name, FILTER_RULE AS value ' +
    'FROM performance_schema.replication_applier_global_filters',
  mariadb:
    'SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value ' +
    'FROM information_schema.GLOBAL_VARIABLES ' +
    "WHERE VARIABLE_NAME REGEXP '^replicate_(wild_)?(do|ignore|rewrite)_(db|table)$'",
} as const

/** A list of tables can be long. */
const VALUE_LENGTH_MAX = 160

/** A row of SHOW REPLICA STATUS or SHOW ALL SLAVES STATUS: what that connection leaves out. */
export function connectionFilters(row: Row): string[] {
  const filters = Object.entries(COLUMNS).flatMap(([column, name]) => settingOf(name, row[column]))
  const skipped = 'Connection_name' in row ? Number(row.Skip_Counter) : 0
  return skipped > 0 ? [...filters, `${SKIP_COUNTER}=${skipped}`] : filters
}

/** Of `connectionFilters`: whether it can be taken back. A counter only counts down. */
export function isClearable(filter: string): boolean {
  return !filter.startsWith(SKIP_COUNTER)
}

export function serverSettingsQuery(flavor: Flavor): string {
  const names = Object.keys(HARMLESS[flavor]).map((name) => `'${name}'`)
  // One that a version does not know is missing in the answer, instead of failing it.
  return `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names.join(', ')})`
}

/** Rows of `serverSettingsQuery`: what the server leaves out, or passes over, of every source. */
export function serverFilters(flavor: Flavor, rows: readonly Row[]): string[] {
  const harmless: Readonly<Record<string, string>> = HARMLESS[flavor]
  return rows.flatMap(({ Variable_name: name, Value: value }) =>
    String(value).toUpperCase() === harmless[String(name)] ? [] : settingOf(String(name), value),
  )
}

export function newConnectionQuery(flavor: Flavor): string {
  return OF_NEW_CONNECTION[flavor]
}

/** Rows of `newConnectionQuery`. */
export function newConnectionFilters(rows: readonly Row[]): string[] {
  return rows.flatMap(({ name, value }) => settingOf(String(name), value))
}

/**
 * Whether data that pass now are left out for good. A skip counter is used up the moment that the
 * applier starts: who sees it at all has to believe it.
 */
export function losesData(filters: readonly string[], isApplying: boolean): boolean {
  return filters.length > 0 && (isApplying || filters.some((one) => one.startsWith(SKIP_COUNTER)))
}

/** What a person has to do, where data are left out. */
export const FILTER_REMEDY =
  'Take the setting back at the replica (MySQL: CHANGE REPLICATION FILTER ... = () FOR CHANNEL; ' +
  "MariaDB: SET GLOBAL replicate_... = '', CHANGE MASTER TO IGNORE_DOMAIN_IDS = ()) and out of " +
  'its configuration file. What it left out is missing for good: restore the replica from a ' +
  'backup of the source, then detach and attach it.'

function settingOf(name: string, value: unknown): string[] {
  const text = value === null || value === undefined ? '' : String(value)
  if (text === '') return []
  const shown = text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}...` : text
  return [`${name}=${shown}`]
}
