import type { ServerError } from '../../mysql/ok-packet.ts'

/** The errors that a relay answers with, by the numbers that servers use for them. */
function error(number: number, sqlState: string, message: string): ServerError {
  return { number, sqlState, message }
}

export const tooManyConnections = (): ServerError =>
  error(1040, '08004', 'landbridge: too many connections to this relay')

export const placeNeeded = (): ServerError =>
  error(1040, '08004', 'landbridge: others need the place of this connection')

/** As MySQL says it to a client that was silent for `wait_timeout`. */
export const inactive = (): ServerError =>
  error(
    4031,
    'HY000',
    'The client was disconnected by the server because of inactivity. ' +
      'See wait_timeout and interactive_timeout for configuring this behavior.',
  )

export const accessDenied = (user: string): ServerError =>
  error(1045, '28000', `Access denied for user '${user.slice(0, 32)}' (using password: YES)`)

export const tlsRequired = (): ServerError =>
  error(3159, 'HY000', 'landbridge: this relay takes logins over TLS only (SOURCE_SSL=1)')

export const unknownCommand = (): ServerError => error(1047, '08S01', 'Unknown command')

export const malformedPacket = (): ServerError => error(1835, 'HY000', 'Malformed packet')

export const noSuchThread = (id: number): ServerError =>
  error(1094, 'HY000', `Unknown thread id: ${id}`)

export const notOwner = (id: number): ServerError =>
  error(1095, 'HY000', `You are not owner of thread ${id}`)

export const tooManyColumns = (): ServerError => error(1117, '42000', 'Too many columns')

export const statementTooLong = (): ServerError =>
  error(1153, '08S01', "Got a packet bigger than 'max_allowed_packet' bytes")

export const tooMuchMemory = (what: string): ServerError =>
  error(1038, 'HY001', `landbridge: ${what} would take more memory than a relay gives a login`)

export const binlogEventsFailed = (why: string): ServerError =>
  error(1220, 'HY000', `Error when executing command SHOW BINLOG EVENTS: ${why}`)

export const tooManyEvents = (max: number): ServerError =>
  error(1220, 'HY000', `landbridge: a relay shows ${max} events at most: add LIMIT, or FROM`)

export const unknownVariable = (name: string): ServerError =>
  error(1193, 'HY000', `Unknown system variable '${name.slice(0, 64)}'`)

export const unsupportedStatement = (): ServerError =>
  error(1235, '42000', 'landbridge: a binlog relay does not answer this statement')

/** A replica stops at this error and shows its text; so the text must say what to do. */
export const dumpRefused = (message: string): ServerError =>
  error(1236, 'HY000', `landbridge: ${message}`)
