import { pino } from 'pino'
import { describeError, errorFields, isLandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { plainJson } from '../base/plain-text.ts'
import { formatLogLine } from './log-line.ts'

export interface CreateLogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** The gateway's name; on every line. */
  readonly name?: string
  /** Where lines go. Default: standard error, written before the call returns. */
  readonly output?: { write(text: string): void }
  /** Lines for people instead of JSON. Default: when standard error is a terminal. */
  readonly pretty?: boolean
  /** Default: as the terminal and NO_COLOR say. */
  readonly color?: boolean
}

/** Fields of these names never reach the log, whatever a caller passes; `Secret` hides itself. */
const SECRET_FIELDS = [
  'authorization',
  'key',
  'passphrase',
  'password',
  'presharedKey',
  'privateKey',
  'privateKeyPem',
  'secret',
  'token',
  'wireguardPrivateKey',
]

/** JSON lines for machines, or one readable line each on a terminal. */
export function createLog(options: CreateLogOptions): Log {
  const output = options.output ?? pino.destination({ dest: 2, sync: true })
  const pretty = options.pretty ?? (options.output === undefined && process.stderr.isTTY)
  const color = options.color ?? (process.stderr.isTTY && !process.env.NO_COLOR)
  const lines = pretty
    ? { write: (line: string) => void output.write(formatLogLine(line, { color })) }
    : { write: (line: string) => void output.write(plainJson(line)) }
  return pino(
    {
      level: options.level,
      base: options.name === undefined ? {} : { gateway: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: loggedError, err: loggedError, cause: loggedError },
      redact: { paths: secretPaths(), censor: '[secret]' },
      messageKey: 'message',
    },
    lines,
  )
}

function secretPaths(): string[] {
  return SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`])
}

/** Errors of landbridge say all in code and message; a stack is for what is not expected. */
function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const fields = errorFields(error)
  const hasDetails = isLandbridgeError(error) && Object.keys(error.details).length > 0
  return {
    ...fields,
    message: describeError(error),
    ...(hasDetails && { details: error.details }),
    ...(fields.code === 'ERR_UNEXPECTED' && { stack: error.stack }),
  }
}
