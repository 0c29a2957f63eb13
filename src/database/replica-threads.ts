import { describeConnection, type ReplicaConnection } from './replica-connection.ts'

type Row = Readonly<Record<string, unknown>>

const NOT_SET_UP = 'replication from this gateway is not set up on this server'

/** Whether a described reason is that nobody ever told the server to follow us. */
export function isNotSetUp(reason: string): boolean {
  return reason.startsWith(NOT_SET_UP)
}

/** `others`: what the server follows instead. */
export function notSetUp(others: readonly ReplicaConnection[]): string {
  if (others.length === 0) return NOT_SET_UP
  return `${NOT_SET_UP}; it follows ${others.map(describeConnection).join(', ').slice(0, 200)}`
}

/** Rows of thread, state, number and message from performance_schema, of one channel. */
export function describeMysqlReplica(rows: readonly Row[]): string | null {
  if (rows.length === 0) return NOT_SET_UP
  const reasons: string[] = []
  for (const row of rows) {
    if (Number(row.number) !== 0) reasons.push(`${row.thread}: ${oneLine(row.message)}`)
  }
  if (reasons.length > 0) return mostTelling(reasons)
  const stopped = rows.filter((row) => row.state === 'OFF').map((row) => row.thread)
  return stopped.length === 0 ? null : `stopped: ${stopped.join(' and ')}`
}

/** Rows of SHOW ALL SLAVES STATUS, of one connection. */
export function describeMariadbReplica(rows: readonly Row[]): string | null {
  if (rows.length === 0) return NOT_SET_UP
  const reasons: string[] = []
  for (const row of rows) {
    if (Number(row.Last_SQL_Errno) !== 0) reasons.push(`applier: ${oneLine(row.Last_SQL_Error)}`)
    if (Number(row.Last_IO_Errno) !== 0) reasons.push(`receiver: ${oneLine(row.Last_IO_Error)}`)
  }
  if (reasons.length > 0) return mostTelling(reasons)
  for (const row of rows) {
    if (row.Slave_SQL_Running === 'No') reasons.push('applier')
    if (row.Slave_IO_Running === 'No') reasons.push('receiver')
  }
  return reasons.length === 0 ? null : `stopped: ${reasons.join(' and ')}`
}

/** A worker's own words say more than the coordinator's "see the worker's error". */
function mostTelling(reasons: readonly string[]): string {
  const workers = reasons.filter((reason) => reason.startsWith('worker: '))
  const shown = workers.length > 0 ? workers.slice(0, 1) : reasons
  return shown.join('; ')
}

function oneLine(value: unknown): string {
  return String(value).replaceAll(/\s+/g, ' ').trim().slice(0, 500)
}
