import type { Clock } from '../base/clock.ts'
import type { ServerError } from '../mysql/ok-packet.ts'
import type { ResultSet } from '../mysql/result-set.ts'
import type { BinlogStore, SourceIdentity } from './binlog-store.ts'
import { unknownVariable, unsupportedStatement } from './server-errors.ts'
import { type RelayIdentity, serverVariables } from './server-variables.ts'
import type { SessionVariables } from './session-variables.ts'
import { type Expression, parseStatement, type Statement } from './sql-statement.ts'

export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'rows'; readonly result: ResultSet }
  | { readonly kind: 'error'; readonly error: ServerError }
  | { readonly kind: 'kill'; readonly connectionId: number }

export interface QueryContext {
  readonly store: BinlogStore
  readonly source: SourceIdentity
  readonly relay: RelayIdentity
  readonly clock: Clock
  readonly connectionId: number
  readonly session: SessionVariables
}

export const REPLICA_ASKED_FOR = 'landbridge_replica'
export const REPLICA_STANDING = 'landbridge_replica_standing'

/** Variables of a session that a client may set and that change nothing here. */
const SETTABLE = new Set([
  'autocommit',
  'character_set_client',
  'character_set_connection',
  'character_set_results',
  'collation_connection',
  'interactive_timeout',
  'net_read_timeout',
  'net_write_timeout',
  'sql_log_bin',
  'sql_mode',
  'time_zone',
  'wait_timeout',
])

/** Answers one statement. An unknown variable or statement gets the server's own error. */
export function answerQuery(sql: string, context: QueryContext): Answer {
  const statement = parseStatement(sql)
  switch (statement.kind) {
    case 'select':
      return answerSelect(statement, context)
    case 'set':
      return answerSet(statement, context)
    case 'show-variables':
      return showVariables(statement.matches, context)
    case 'show-files':
      return rows(['Log_name', 'File_size', 'Encrypted'], fileRows(context.store))
    case 'show-position':
      return showPosition(context)
    case 'kill':
      return { kind: 'kill', connectionId: statement.connectionId }
    case 'ignored':
      return { kind: 'ok' }
    case 'unknown':
      return { kind: 'error', error: unsupportedStatement() }
  }
}

const rows = (columns: string[], list: (string | null)[][]): Answer => ({
  kind: 'rows',
  result: { columns, rows: list },
})

function answerSelect(
  statement: Extract<Statement, { kind: 'select' }>,
  context: QueryContext,
): Answer {
  const values: (string | null)[] = []
  for (const { expression } of statement.items) {
    const value = evaluate(expression, context)
    if (typeof value === 'object' && value !== null) return { kind: 'error', error: value }
    values.push(value)
  }
  return rows(
    statement.items.map((item) => item.title),
    [values],
  )
}

function answerSet(statement: Extract<Statement, { kind: 'set' }>, context: QueryContext): Answer {
  // All values first: a statement that fails must not have set half of its variables.
  const values: (string | null)[] = []
  for (const { target, name, value: expression } of statement.assignments) {
    const value = evaluate(expression, context)
    if (typeof value === 'object' && value !== null) return { kind: 'error', error: value }
    if (target === 'system' && !SETTABLE.has(name)) {
      return { kind: 'error', error: unknownVariable(name) }
    }
    values.push(value)
  }
  for (const [index, { target, name }] of statement.assignments.entries()) {
    if (target === 'user') context.session.set(name, values[index] ?? null)
  }
  return { kind: 'ok' }
}

function evaluate(expression: Expression, context: QueryContext): string | null | ServerError {
  switch (expression.kind) {
    case 'literal':
      return expression.text
    case 'null':
      return null
    case 'user':
      return context.session.get(expression.name)
    case 'system': {
      const { store, source, relay, session } = context
      // Of the replica that `landbridge replica attach` names before it asks.
      if (expression.name === REPLICA_STANDING) {
        return store.standing(session.get(REPLICA_ASKED_FOR) ?? '')
      }
      const value = serverVariables(store, source, relay).get(expression.name)
      return value ?? unknownVariable(expression.name)
    }
    case 'call':
      return call(expression.name, context)
  }
}

function call(name: string, context: QueryContext): string | null | ServerError {
  const { store, source, relay } = context
  switch (name) {
    case 'unix_timestamp':
      return String(Math.floor(context.clock.wallMs() / 1000))
    case 'version':
      return serverVariables(store, source, relay).get('version') ?? null
    case 'connection_id':
      return String(context.connectionId)
    case 'database':
      return null
    // A position by file and offset has no GTID here; a replica takes NULL for "not known".
    case 'binlog_gtid_pos':
      return null
    default:
      return unsupportedStatement()
  }
}

function showVariables(matches: (name: string) => boolean, context: QueryContext): Answer {
  const { store, source, relay } = context
  const list = [...serverVariables(store, source, relay)].filter(([name]) => matches(name))
  list.sort(([left], [right]) => (left < right ? -1 : 1))
  return rows(['Variable_name', 'Value'], list)
}

function fileRows(store: BinlogStore): string[][] {
  return store.files().map((file) => [file.name, String(store.readableBytes(file)), 'No'])
}

function showPosition({ store, source }: QueryContext): Answer {
  const end = store.end()
  const file = store.files().find(({ ordinal }) => ordinal === end?.ordinal)
  const columns = ['File', 'Position', 'Binlog_Do_DB', 'Binlog_Ignore_DB']
  if (source.flavor === 'mysql') columns.push('Executed_Gtid_Set')
  if (end === null || file === undefined) return rows(columns, [])
  const row = [file.name, String(end.offset), '', '']
  if (source.flavor === 'mysql') row.push(store.gtids())
  return rows(columns, [row])
}
