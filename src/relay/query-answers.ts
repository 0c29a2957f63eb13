import type { Clock } from '../base/clock.ts'
import type { ServerError } from '../mysql/ok-packet.ts'
import type { ResultSet } from '../mysql/result-set.ts'
import type { BinlogStore, SourceIdentity } from './binlog-store.ts'
import {
  tooManyColumns,
  tooMuchMemory,
  unknownVariable,
  unsupportedStatement,
} from './server-errors.ts'
import { type RelayIdentity, serverVariables } from './server-variables.ts'
import type { SessionVariables } from './session-variables.ts'
import { type Expression, parseStatement, type Statement } from './sql-statement.ts'

export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'rows'; readonly result: ResultSet; readonly bytes: number }
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

/** As of a server. */
const COLUMNS_MAX = 4096
/** Beyond the variables of a server whose GTIDs have 100,000 gaps, and 25,000 names of files. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
/** Of a value beside its text. */
const VALUE_BYTES = 16

/**
 * Answers one statement. An unknown variable or statement gets the server's own error, and so does
 * one whose answer would be too large.
 */
export function answerQuery(sql: string, options: QueryContext): Answer {
  const statement = parseStatement(sql)
  const context = { ...options, variables: variablesOf(options) }
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

interface Evaluation extends QueryContext {
  /** One look for a whole statement: some values are large, and a statement may name them often. */
  readonly variables: () => ReadonlyMap<string, string>
}

function variablesOf({ store, source, relay }: QueryContext): Evaluation['variables'] {
  let variables: ReadonlyMap<string, string> | null = null
  return () => {
    variables ??= serverVariables(store, source, relay)
    return variables
  }
}

function rows(columns: readonly string[], list: readonly (readonly (string | null)[])[]): Answer {
  if (columns.length > COLUMNS_MAX) return { kind: 'error', error: tooManyColumns() }
  let bytes = 0
  for (const row of [columns, ...list]) {
    for (const value of row) {
      bytes += VALUE_BYTES + (value === null ? 0 : Buffer.byteLength(value))
      if (bytes > ANSWER_BYTES_MAX) return { kind: 'error', error: tooMuchMemory('the answer') }
    }
  }
  return { kind: 'rows', result: { columns, rows: list }, bytes }
}

function answerSelect(
  statement: Extract<Statement, { kind: 'select' }>,
  context: Evaluation,
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

function answerSet(statement: Extract<Statement, { kind: 'set' }>, context: Evaluation): Answer {
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
  const variables = statement.assignments.flatMap(({ target, name }, index) =>
    target === 'user' ? [[name, values[index] ?? null] as const] : [],
  )
  if (context.session.set(variables)) return { kind: 'ok' }
  return { kind: 'error', error: tooMuchMemory('the variables of the session') }
}

function evaluate(expression: Expression, context: Evaluation): string | null | ServerError {
  switch (expression.kind) {
    case 'literal':
      return expression.text
    case 'null':
      return null
    case 'user':
      return context.session.get(expression.name)
    case 'system': {
      const { store, variables, session } = context
      // Of the replica that `landbridge replica attach` names before it asks.
      if (expression.name === REPLICA_STANDING) {
        return store.standing(session.get(REPLICA_ASKED_FOR) ?? '')
      }
      return variables().get(expression.name) ?? unknownVariable(expression.name)
    }
    case 'call':
      return call(expression.name, context)
  }
}

function call(name: string, context: Evaluation): string | null | ServerError {
  switch (name) {
    case 'unix_timestamp':
      return String(Math.floor(context.clock.wallMs() / 1000))
    case 'version':
      return context.variables().get('version') ?? null
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

function showVariables(matches: (name: string) => boolean, context: Evaluation): Answer {
  const list = [...context.variables()].filter(([name]) => matches(name))
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
