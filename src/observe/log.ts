import { type Logger, pino } from 'pino'
import { describeError, errorFields, isLandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { plainJson } from '../base/plain-text.ts'
import { formatLogLine } from './log-line.ts'
import type { LogLevel } from './log-section.ts'

export interface CreateLogOptions {
  readonly level: LogLevel
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
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: loggedError, err: loggedError, cause: loggedError },
      redact: { paths: secretPaths(), censor: '[secret]' },
      messageKey: 'message',
    },
    lines,
  )
  return new MergingLog(logger, options.name === undefined ? {} : { gateway: options.name })
}

/** What pino writes itself: a field of such a name would stand in the line a second time. */
const OWN_NAMES = new Set(['level', 'time', 'message'])

/** Merges a child's fields with those of a line, since pino writes a name that both have twice. */
class MergingLog implements Log {
  readonly #logger: Logger
  readonly #fields: object

  constructor(logger: Logger, fields: object) {
    this.#logger = logger
    this.#fields = fields
  }

  debug(fields: object, message: string): void {
    this.#logger.debug(this.#merged(fields), message)
  }

  info(fields: object, message: string): void {
    this.#logger.info(this.#merged(fields), message)
  }

  warn(fields: object, message: string): void {
    this.#logger.warn(this.#merged(fields), message)
  }

  error(fields: object, message: string): void {
    this.#logger.error(this.#merged(fields), message)
  }

  child(fields: object): Log {
    return new MergingLog(this.#logger, this.#merged(fields))
  }

  #merged(fields: object): object {
    const entries = Object.entries({ ...this.#fields, ...fields })
    return Object.fromEntries(
      entries.map(([name, value]) => [OWN_NAMES.has(name) ? `${name}_` : name, value]),
    )
  }
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
