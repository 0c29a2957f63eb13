import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { describeError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Trouble } from '../base/trouble.ts'
import { FENCE_GRANT } from '../mysql/grants.ts'
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
}

const RETRY_MS_MAX = 10_000
const LOOK_EVERY_MS = 30_000
/** Somebody's lock must not hold the connection for a year. */
const LOCK_SECONDS = 5

/**
 * Makes the database of a former origin read-only and sees that it stays so. What is written there
 * after another site took over is in no other copy, and would have to be thrown away.
 *
 *     look ──takes writes──▶ made read-only ──▶ look again, every 30 s
 *       └──takes writes, though it was read-only and not restarted──▶ somebody did that: reported
 */
export class Fence {
  readonly #options: FenceOptions
  readonly #trouble: Trouble<LandbridgeError>
  /** When the server that was seen read-only was started, on this gateway's clock; null: never. */
  #fencedStartMs: number | null = null

  constructor(options: FenceOptions) {
    this.#options = options
    this.#trouble = new Trouble(options.clock)
    this.#trouble.met(takesWrites(options.stream, new Error('it was not asked yet')))
  }

  /** Settles once no statement of ours is under way at the database. */
  async run(signal: AbortSignal): Promise<void> {
    const { stream, clock, log } = this.#options
    const backoff = new Backoff({ clock, firstMs: 500, capMs: RETRY_MS_MAX })
    while (!signal.aborted) {
      try {
        await this.#look(signal)
        this.#trouble.over()
        backoff.reset()
        await clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined)
      } catch (error) {
        if (signal.aborted) return
        const failure = takesWrites(stream, error)
        if (this.#trouble.met(failure) !== 'same') {
          log.error({ code: failure.code, remedy: failure.remedy }, describeError(failure))
        }
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
  }

  /** Until it is read-only, and when it is no more. */
  problems(): Problem[] {
    const trouble = this.#trouble.now
    if (trouble === null) return []
    return [problemOf(trouble, { severity: 'error', where: `stream:${this.#options.stream}` })]
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { stream, database, clock, log } = this.#options
    if (database === null) throw new Error('no database of this site is configured')
    const login = await SqlLogin.open({ role: 'database', ...database }, signal)
    try {
      const { variable, isReadOnly, uptimeMs } = await standing(login)
      const startMs = clock.monotonicMs() - uptimeMs
      if (!isReadOnly) {
        if (this.#isSameStart(startMs)) throw new Error('somebody took read_only off again')
        await login.query(`SET SESSION lock_wait_timeout = ${LOCK_SECONDS}`)
        await login.query(`SET GLOBAL ${variable} = ON`)
        log.warn({ stream }, 'another site is the origin: the database here was made read-only')
      }
      this.#fencedStartMs = startMs
    } finally {
      login.close()
    }
  }

  /** Servers count their uptime in whole seconds. */
  #isSameStart(startMs: number): boolean {
    return this.#fencedStartMs !== null && startMs - this.#fencedStartMs < 2_000
  }
}

async function standing(login: SqlLogin): Promise<{
  readonly variable: string
  readonly isReadOnly: boolean
  readonly uptimeMs: number
}> {
  const version = await login.row('SELECT @@GLOBAL.version AS version')
  // Of MySQL also for those who may write while it is only read_only.
  const variable = /mariadb/i.test(String(version?.version)) ? 'read_only' : 'super_read_only'
  const now = await login.row(`SELECT @@GLOBAL.${variable} AS value`)
  const uptime = await login.row("SHOW GLOBAL STATUS LIKE 'Uptime'")
  const isReadOnly = !['0', 'OFF'].includes(String(now?.value))
  return { variable, isReadOnly, uptimeMs: Number(uptime?.Value ?? 0) * 1000 }
}

function takesWrites(stream: string, cause: unknown): LandbridgeError {
  return new LandbridgeError(
    'ERR_FENCE',
    `another site is the origin of ${stream} now, and the database here may still take writes`,
    {
      cause,
      retryable: true,
      remedy:
        'Keep applications away from it. Run there: SET GLOBAL super_read_only = ON (MariaDB: ' +
        'read_only); or grant the gateway’s login what that takes (MySQL: ' +
        `${FENCE_GRANT.mysql}; MariaDB: ${FENCE_GRANT.mariadb}).`,
    },
  )
}
