import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { describeError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Trouble } from '../base/trouble.ts'
import type { SqlAddress } from '../mysql/sql-connect.ts'
import { SqlLogin } from '../mysql/sql-login.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem } from '../status/status.ts'

export interface FenceOptions {
  readonly stream: string
  /** Null: this gateway knows no database, and a person has to do it. */
  readonly database: SqlAddress | null
  readonly clock: Clock
  readonly log: Log
  /** The database takes no writes any more: that is remembered. */
  readonly onFenced: () => Promise<void>
}

const RETRY_MS_MAX = 10_000
/** Somebody's lock must not hold the connection for a year. */
const LOCK_SECONDS = 5

/**
 * Makes the database of a former origin read-only, and goes on until it is. What is written there
 * after another site took over is in no other copy, and would have to be thrown away.
 */
export class Fence {
  readonly #options: FenceOptions
  readonly #trouble: Trouble<LandbridgeError>
  #isDone = false

  constructor(options: FenceOptions) {
    this.#options = options
    this.#trouble = new Trouble(options.clock)
    this.#trouble.met(notYet(options.stream))
  }

  async run(signal: AbortSignal): Promise<void> {
    const { stream, database, clock, log, onFenced } = this.#options
    const backoff = new Backoff({ clock, firstMs: 500, capMs: RETRY_MS_MAX })
    while (!signal.aborted) {
      try {
        if (database === null) throw noDatabase()
        const did = await makeReadOnly(database, signal)
        await onFenced()
        this.#isDone = true
        const message = did ? 'was made read-only' : 'is read-only already'
        log.warn({ stream }, `another site is the origin now: the database here ${message}`)
        return
      } catch (error) {
        if (signal.aborted) return
        const failure = notFenced(stream, error)
        if (this.#trouble.met(failure) !== 'same') {
          log.error({ code: failure.code, remedy: failure.remedy }, describeError(failure))
        }
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
  }

  /** Until it is done. */
  problems(): Problem[] {
    const trouble = this.#trouble.now
    if (this.#isDone || trouble === null) return []
    return [problemOf(trouble, { severity: 'error', where: `stream:${this.#options.stream}` })]
  }
}

/** Whether it had to. Throws ERR_SQL_LOGIN, ERR_SQL_STATEMENT and what `sqlConnect` throws. */
async function makeReadOnly(database: SqlAddress, signal: AbortSignal): Promise<boolean> {
  const login = await SqlLogin.open({ role: 'database', ...database }, signal)
  const abort = (): void => login.close()
  signal.addEventListener('abort', abort, { once: true })
  try {
    const version = await login.row('SELECT @@GLOBAL.version AS version')
    const isMariadb = /mariadb/i.test(String(version?.version))
    // Of MySQL also for those who may write while it is only read_only.
    const variable = isMariadb ? 'read_only' : 'super_read_only'
    const now = await login.row(`SELECT @@GLOBAL.${variable} AS value`)
    if (!['0', 'OFF'].includes(String(now?.value))) return false
    await login.query(`SET SESSION lock_wait_timeout = ${LOCK_SECONDS}`)
    await login.query(`SET GLOBAL ${variable} = ON`)
    return true
  } finally {
    signal.removeEventListener('abort', abort)
    login.close()
  }
}

function noDatabase(): LandbridgeError {
  return new LandbridgeError('ERR_FENCE', 'no database of this site is configured')
}

function notYet(stream: string): LandbridgeError {
  return notFenced(stream, new LandbridgeError('ERR_FENCE', 'it was not asked yet'))
}

function notFenced(stream: string, cause: unknown): LandbridgeError {
  return new LandbridgeError(
    'ERR_FENCE',
    `another site is the origin of ${stream} now, and the database here may still take writes`,
    {
      cause,
      retryable: true,
      remedy:
        'Keep applications away from it. Run there: SET GLOBAL super_read_only = ON (MariaDB: ' +
        'read_only); or grant the gateway’s login what that takes (MySQL: ' +
        'SYSTEM_VARIABLES_ADMIN; MariaDB: READ_ONLY ADMIN).',
    },
  )
}
