import type { Flavor } from '../../base/flavor.ts'

/** What a relay counts since its start, for those who ask as they ask a server. */
export class RelayTally {
  connections = 0
  statements = 0
  /** Most that were logged in at once. */
  loginsMost = 0

  /** With the one that has just logged in there are so many. */
  enter(logins: number): void {
    this.loginsMost = Math.max(this.loginsMost, logins)
  }
}

/** One connection, as SHOW PROCESSLIST shows it. */
export interface SessionFacts {
  readonly id: number
  readonly user: string
  readonly address: string
  readonly command: 'Sleep' | 'Binlog Dump' | 'Binlog Dump GTID'
  readonly seconds: number
  /** Of a dump: whether everything was sent. */
  readonly isCaughtUp: boolean
  /** By COM_REGISTER_SLAVE; null for one that did not. */
  readonly replica: {
    readonly serverId: number
    readonly host: string
    readonly port: number
    readonly uuid: string | null
  } | null
}

export interface ServerFacts {
  readonly uptimeSeconds: number
  /** Connections that were turned away before they had logged in. */
  readonly refused: number
  readonly tally: RelayTally
  /** Of those who have logged in. */
  readonly sessions: readonly SessionFacts[]
}

/** Whose statement is being answered, and which. */
export interface Asker {
  readonly connectionId: number
  readonly sql: string
}

const DUMP_STATES = {
  mysql: {
    waiting: 'Source has sent all binlog to replica; waiting for more updates',
    sending: 'Sending binlog event to replica',
  },
  mariadb: {
    waiting: 'Master has sent all binlog to slave; waiting for more updates',
    sending: 'Sending binlog event to slave',
  },
} as const
/** Without FULL. */
const STATEMENT_LENGTH = 100

export const PROCESS_COLUMNS = {
  mysql: ['Id', 'User', 'Host', 'db', 'Command', 'Time', 'State', 'Info'],
  mariadb: ['Id', 'User', 'Host', 'db', 'Command', 'Time', 'State', 'Info', 'Progress'],
} as const

export function processRows(
  flavor: Flavor,
  facts: ServerFacts,
  asker: Asker,
  isFull: boolean,
): (string | null)[][] {
  return facts.sessions.map((session) => {
    const { id, user, address, seconds } = session
    const isAsker = id === asker.connectionId
    const command = isAsker ? 'Query' : session.command
    const time = String(isAsker ? 0 : seconds)
    const info = isAsker ? asker.sql.slice(0, isFull ? undefined : STATEMENT_LENGTH) : null
    const state = isAsker ? 'starting' : stateOf(flavor, session)
    const row = [String(id), user, address, null, command, time, state, info]
    return flavor === 'mariadb' ? [...row, '0.000'] : row
  })
}

function stateOf(flavor: Flavor, { command, isCaughtUp }: SessionFacts): string {
  if (command === 'Sleep') return ''
  return DUMP_STATES[flavor][isCaughtUp ? 'waiting' : 'sending']
}

/** By how it was asked: MySQL renamed the columns with the statement. */
export const REPLICA_COLUMNS = {
  replicas: ['Server_Id', 'Host', 'Port', 'Source_Id', 'Replica_UUID'],
  'slave-hosts': ['Server_id', 'Host', 'Port', 'Master_id', 'Slave_UUID'],
} as const

/** Those that have registered and are connected. MariaDB's have no uuid, and no column for it. */
export function replicaRows(facts: ServerFacts, sourceId: number): string[][] {
  return facts.sessions.flatMap(({ replica }) => {
    if (replica === null) return []
    const { serverId, host, port, uuid } = replica
    return [[String(serverId), host, String(port), String(sourceId), uuid ?? '']]
  })
}

/** SHOW GLOBAL STATUS: what means something at a relay, by the names of its flavor's servers. */
export function statusVariables(flavor: Flavor, facts: ServerFacts): ReadonlyMap<string, string> {
  const { tally, sessions, uptimeSeconds, refused } = facts
  const dumps = sessions.filter(({ command }) => command !== 'Sleep').length
  const variables = new Map<string, string | number>([
    ['Aborted_connects', refused],
    ['Connections', tally.connections],
    ['Max_used_connections', tally.loginsMost],
    ['Open_tables', 0],
    ['Opened_tables', 0],
    ['Queries', tally.statements],
    ['Questions', tally.statements],
    ['Slow_queries', 0],
    ['Threads_cached', 0],
    ['Threads_connected', sessions.length],
    ['Threads_created', tally.connections],
    ['Threads_running', dumps + 1],
    ['Uptime', uptimeSeconds],
    ['Uptime_since_flush_status', uptimeSeconds],
  ])
  if (flavor === 'mariadb') {
    variables.set('Rpl_semi_sync_master_clients', 0)
    variables.set('Rpl_semi_sync_master_status', 'OFF')
    variables.set('Slave_running', 'OFF')
    variables.set('Slaves_connected', dumps)
    variables.set('Slaves_running', 0)
  }
  const sorted = [...variables].sort(([left], [right]) => (left < right ? -1 : 1))
  return new Map(sorted.map(([name, value]) => [name, String(value)]))
}

/** The answer to COM_STATISTICS: a line of text, as `mysqladmin status` prints it. */
export function statisticsLine(flavor: Flavor, facts: ServerFacts): string {
  const { tally, sessions, uptimeSeconds } = facts
  const perSecond = (tally.statements / Math.max(1, uptimeSeconds)).toFixed(3)
  return [
    `Uptime: ${uptimeSeconds}`,
    `Threads: ${sessions.length}`,
    `Questions: ${tally.statements}`,
    'Slow queries: 0',
    'Opens: 0',
    ...(flavor === 'mysql' ? ['Flush tables: 0'] : []),
    'Open tables: 0',
    `Queries per second avg: ${perSecond}`,
  ].join('  ')
}
