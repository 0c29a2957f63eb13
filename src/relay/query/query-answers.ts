import type { Clock } from '../../base/clock.ts'
import type { SourceIdentity } from '../../binlog/log.ts'
import type { ServerError } from '../../mysql/ok-packet.ts'
import { REPLICA_ASKED_FOR, REPLICA_STANDING } from '../../mysql/relay-variables.ts'
import type { ResultSet } from '../../mysql/result-set.ts'
import type { ServedLog } from '../served-log.ts'
import {
  tooManyColumns,
  tooMuchMemory,
  unknownVariable,
  unsupportedStatement,
} from './server-errors.ts'
import {
  PROCESS_COLUMNS,
  processRows,
  REPLICA_COLUMNS,
  replicaRows,
  type ServerFacts,
  statusVariables,
} from './server-facts.ts'
import { type RelayIdentity, serverVariables } from './server-variables.ts'
import type { SessionVariables } from './session-variables.ts'
import {
  type EventsWish,
  type Expression,
  type NameTest,
  parseStatement,
  type Statement,
} from './sql-statement.ts'

export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'rows'; readonly result: ResultSet; readonly bytes: number }
  | { readonly kind: 'error'; readonly error: ServerError }
  | { readonly kind: 'kill'; readonly connectionId: number }
  /** To be read from the files. */
  | { readonly kind: 'events'; readonly wish: EventsWish }

export interface QueryContext {
  readonly store: ServedLog
  readonly source: SourceIdentity
  readonly relay: RelayIdentity
  readonly clock: Clock
  readonly connectionId: number
  readonly session: SessionVariables
  readonly server: () => ServerFacts
}

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
      return showVariables(context.variables(), statement.matches)
    case 'show-status':
      return showVariables(
        statusVariables(context.source.flavor, context.server()),
        statement.matches,
      )
    case 'show-nothing':
      return rows(['Level', 'Code', 'Message'], [])
    case 'show-processes':
      return showProcesses(context, sql, statement.isFull)
    case 'show-replicas':
      return showReplicas(context, statement.words)
    case 'show-events':
      return { kind: 'events', wish: statement.wish }
    case 'show-files':
      return showFiles(context)
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

/** For people and monitors, by SHOW PROCESSLIST or the command of old. */
export function showProcesses(context: QueryContext, sql: string, isFull: boolean): Answer {
  const { source, connectionId } = context
  const asker = { connectionId, sql }
  const list = processRows(source.flavor, context.server(), asker, isFull)
  return rows(PROCESS_COLUMNS[source.flavor], list)
}

function showReplicas(
  { source, relay, server }: QueryContext,
  words: Extract<Statement, { kind: 'show-replicas' }>['words'],
): Answer {
  const isMysql = source.flavor === 'mysql'
  // MySQL never had the one, nor MariaDB the other.
  if (words === (isMysql ? 'replica-hosts' : 'replicas')) {
    return { kind: 'error', error: unsupportedStatement() }
  }
  const columns = REPLICA_COLUMNS[words === 'replicas' ? 'replicas' : 'slave-hosts']
  const list = replicaRows(server(), relay.serverId)
  if (isMysql) return rows(columns, list)
  return rows(
    columns.slice(0, -1),
    list.map((row) => row.slice(0, -1)),
  )
}

export function rows(
  columns: readonly string[],
  list: readonly (readonly (string | null)[])[],
): Answer {
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
        return store.claims.standing(session.get(REPLICA_ASKED_FOR) ?? '')
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

function showVariables(variables: ReadonlyMap<string, string>, matches: NameTest): Answer {
  const list = [...variables].filter(([name]) => matches(name.toLowerCase()))
  list.sort(([left], [right]) => (left < right ? -1 : 1))
  return rows(['Variable_name', 'Value'], list)
}

function showFiles({ store, source }: QueryContext): Answer {
  const isMysql = source.flavor === 'mysql'
  const list = store.files().map((file) => {
    const row = [file.name, String(store.readableBytes(file))]
    return isMysql ? [...row, 'No'] : row
  })
  return rows(isMysql ? ['Log_name', 'File_size', 'Encrypted'] : ['Log_name', 'File_size'], list)
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
