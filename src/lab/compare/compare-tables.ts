import type { Connection, RowDataPacket } from 'mysql2/promise'
import { describeError, LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { connectSql } from '../servers/sql-connection.ts'

export interface CompareTablesOptions {
  readonly flavor: Flavor
  readonly sourceSocket: string
  readonly replicaSocket: string
  /** How long the replica may take to apply what the source has committed. */
  readonly waitSeconds: number
  readonly signal: AbortSignal
}

export interface TablesReport {
  readonly equal: boolean
  readonly tables: number
  readonly rows: number
  readonly failures: readonly string[]
  /** So many of the failures say that something could not be compared at all. */
  readonly unproven: number
}

const ATTEMPTS_MAX = 5
const SYSTEM_SCHEMAS = "('mysql','information_schema','performance_schema','sys')"

/** Everything a table or another object of a schema is compared by, under its full name. */
type Inventory = Map<string, Item>

type Item =
  | { readonly rows: number; readonly text: string }
  /** The server's own words why it could not be read: a MERGE of tables that are gone, ... */
  | { readonly unreadable: string }

/**
 * `replica equals source`: waits until the replica has applied all that the source has committed,
 * then compares definition, row count and checksum of every table of every schema of people.
 * Starts again (bounded) when somebody wrote to the source meanwhile.
 */
export async function compareTables(options: CompareTablesOptions): Promise<TablesReport> {
  const source = await connectSql({ socket: options.sourceSocket })
  const replica = await connectSql({ socket: options.replicaSocket }).catch(async (error) => {
    await source.end()
    throw error
  })
  try {
    for (let attempt = 1; ; attempt += 1) {
      const committed = await committedGtids(source, options.flavor)
      const behind = await waitForReplica(replica, committed, options)
      if (behind !== null) return unequal(behind)
      const report = compareInventories(await takeInventory(source), await takeInventory(replica))
      const moved = (await committedGtids(source, options.flavor)) !== committed
      if (report.equal || !moved) return report
      if (attempt === ATTEMPTS_MAX) {
        const failures = ['the source is still being written to', ...report.failures]
        return { ...report, failures }
      }
    }
  } finally {
    await Promise.all([source.end(), replica.end()])
  }
}

async function ask(connection: Connection, text: string, values: unknown[] = []) {
  const [rows] = await connection.query<RowDataPacket[]>(text, values)
  return rows
}

async function committedGtids(source: Connection, flavor: Flavor): Promise<string> {
  const variable = flavor === 'mysql' ? '@@GLOBAL.gtid_executed' : '@@GLOBAL.gtid_binlog_pos'
  return String((await ask(source, `SELECT ${variable} AS gtids`))[0]?.gtids ?? '')
}

/** Null when it has applied all; else what it hangs on. */
async function waitForReplica(
  replica: Connection,
  gtids: string,
  options: CompareTablesOptions,
): Promise<string | null> {
  const { flavor, signal } = options
  const wait = flavor === 'mysql' ? 'WAIT_FOR_EXECUTED_GTID_SET(?, 1)' : 'MASTER_GTID_WAIT(?, 1)'
  for (let waited = 0; waited < options.waitSeconds; waited += 1) {
    signal.throwIfAborted()
    if (gtids === '') return null
    const [row] = await ask(replica, `SELECT ${wait} AS result`, [gtids])
    if (Number(row?.result) === 0) return null
    const stopped = await replicationError(replica, flavor)
    if (stopped !== null) return `the replica has stopped applying: ${stopped}`
  }
  const reached = await ask(
    replica,
    `SELECT ${flavor === 'mysql' ? '@@GLOBAL.gtid_executed' : '@@GLOBAL.gtid_slave_pos'} AS gtids`,
  )
  return (
    `the replica has not applied all within ${options.waitSeconds} s: ` +
    `source ${gtids}, replica ${String(reached[0]?.gtids ?? '')}`
  )
}

async function replicationError(replica: Connection, flavor: Flavor): Promise<string | null> {
  const statement = flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS'
  const [row] = await ask(replica, statement)
  if (row === undefined) return 'replication is not set up there'
  const text = String(row.Last_SQL_Error ?? '')
  return text === '' ? null : text
}

async function takeInventory(connection: Connection): Promise<Inventory> {
  const inventory: Inventory = new Map()
  const tables = await ask(
    connection,
    `SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, TABLE_TYPE AS kind FROM information_schema.TABLES
      WHERE TABLE_SCHEMA NOT IN ${SYSTEM_SCHEMAS} ORDER BY 1, 2`,
  )
  for (const { s, t, kind } of tables) {
    const name = `${quote(s)}.${quote(t)}`
    const key = `${kind === 'VIEW' ? 'view' : 'table'} ${name}`
    inventory.set(key, await readable(() => readTable(connection, name, kind === 'VIEW')))
  }
  await addPrograms(connection, inventory)
  return inventory
}

/** What one table or view does not let through is about that one: the rest is still compared. */
async function readable(read: () => Promise<Item>): Promise<Item> {
  try {
    return await read()
  } catch (error) {
    if (!isAnswer(error)) throw error
    return { unreadable: describeError(error) }
  }
}

/** The server refused this statement; a lost connection has no SQL state, or ends all of them. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && 'sqlState' in error && !('fatal' in error && error.fatal)
}

async function readTable(connection: Connection, name: string, isView: boolean): Promise<Item> {
  const [created] = await ask(connection, `SHOW CREATE TABLE ${name}`)
  const definition = normaliseDefinition(
    String(created?.['Create Table'] ?? created?.['Create View']),
  )
  if (isView) return { rows: 0, text: definition }
  const [sum] = await ask(connection, `CHECKSUM TABLE ${name} EXTENDED`)
  const [count] = await ask(connection, `SELECT COUNT(*) AS n FROM ${name}`)
  return { rows: Number(count?.n ?? 0), text: `checksum ${sum?.Checksum}\n${definition}` }
}

/** Schemas, triggers, routines and events: what a failover would miss as much as rows. */
async function addPrograms(connection: Connection, inventory: Inventory): Promise<void> {
  const queries = {
    schema: `SELECT SCHEMA_NAME AS name, CONCAT(DEFAULT_CHARACTER_SET_NAME, ' ',
        DEFAULT_COLLATION_NAME) AS text FROM information_schema.SCHEMATA
        WHERE SCHEMA_NAME NOT IN ${SYSTEM_SCHEMAS}`,
    trigger: `SELECT CONCAT(TRIGGER_SCHEMA, '.', TRIGGER_NAME) AS name, CONCAT(ACTION_TIMING, ' ',
        EVENT_MANIPULATION, ' ', EVENT_OBJECT_TABLE, ' ', ACTION_STATEMENT) AS text
        FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN ${SYSTEM_SCHEMAS}`,
    routine: `SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS name, CONCAT(ROUTINE_TYPE, ' ',
        DTD_IDENTIFIER, ' ', ROUTINE_DEFINITION) AS text
        FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ${SYSTEM_SCHEMAS}`,
    event: `SELECT CONCAT(EVENT_SCHEMA, '.', EVENT_NAME) AS name, EVENT_DEFINITION AS text
        FROM information_schema.EVENTS WHERE EVENT_SCHEMA NOT IN ${SYSTEM_SCHEMAS}`,
  }
  for (const [kind, query] of Object.entries(queries)) {
    for (const row of await ask(connection, query)) {
      inventory.set(`${kind} ${row.name}`, { rows: 0, text: String(row.text) })
    }
  }
}

/** The next AUTO_INCREMENT value is not part of the data: it may run ahead after a rollback. */
export function normaliseDefinition(text: string): string {
  return text
    .replace(/ AUTO_INCREMENT=\d+/, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** Nothing was compared. */
export function unequal(failure: string): TablesReport {
  return { equal: false, tables: 0, rows: 0, failures: [failure], unproven: 1 }
}

export function compareInventories(source: Inventory, replica: Inventory): TablesReport {
  const failures: string[] = []
  let rows = 0
  let tables = 0
  let unproven = 0
  for (const [name, left] of source) {
    const right = replica.get(name)
    if (right === undefined) {
      failures.push(`${name} is not at the replica`)
      continue
    }
    const reasons = [unreadable('the source', left), unreadable('the replica', right)].flat()
    if ('unreadable' in left || 'unreadable' in right) {
      failures.push(`${name} cannot be compared: ${reasons.join('; ')}`)
      unproven += 1
      continue
    }
    if (name.startsWith('table ')) tables += 1
    rows += left.rows
    if (left.rows !== right.rows) {
      failures.push(`${name} has ${left.rows} rows at the source, ${right.rows} at the replica`)
    } else if (left.text !== right.text) {
      failures.push(`${name} differs: ${difference(left, right)}`)
    }
  }
  for (const name of replica.keys()) {
    if (!source.has(name)) failures.push(`${name} is at the replica only`)
  }
  return { equal: failures.length === 0, tables, rows, failures, unproven }
}

function unreadable(site: string, item: Item): string[] {
  return 'unreadable' in item ? [`${site} says: ${item.unreadable}`] : []
}

function difference(left: { readonly text: string }, right: { readonly text: string }): string {
  const lines = left.text.split('\n')
  const others = right.text.split('\n')
  const at = lines.findIndex((line, index) => line !== others[index])
  return `source ${lines[at]?.slice(0, 300)} | replica ${others[at]?.slice(0, 300)}`
}

function quote(name: unknown): string {
  if (typeof name !== 'string') throw new LandbridgeError('ERR_MALFORMED', 'a name that is no text')
  return `\`${name.replaceAll('`', '``')}\``
}
