import type { Clock } from '../base/clock.ts'
import { codeOf } from '../base/errors.ts'

export interface ConnectAttemptsOptions {
  readonly clock: Clock
}

/** Makes one connection; calls `reached` once the server's machine has taken it. */
export type Connect<T> = (reached: () => void) => Promise<T>

export interface AttemptBudget {
  /** Waits until an attempt is due, then makes it. Rejects with its error, or on abort. */
  run<T>(connect: Connect<T>, signal: AbortSignal): Promise<T>
}

/**
 * `person`: somebody has to mend it. `crowded`: the login has all the connections that it may.
 * `unreached`: nobody took the connection. `passing`: it broke off, or nothing came, before the
 * login was answered.
 */
type Cause = 'person' | 'crowded' | 'unreached' | 'passing'

const FIRST_MS = 1_000
const SLOW_MS = 60_000
const DAY_MS = 86_400_000
/** So many in a row come once a minute at most; then each waits twice as long, up to a day. */
const SLOW_ATTEMPTS = 40
/** So many may break off in a row, as when a server comes up, before they are taken for lasting. */
const PASSING_ATTEMPTS = 20
const CROWDED_FIRST_MS = 100
const CROWDED_MS_MAX = 5_000

/**
 * The attempts to log in to one database server, over all parts that connect to it. A server counts
 * handshakes that fail by the host that they come from, and after `max_connect_errors` (100) in a
 * row it refuses that whole host, with error 1129, until a person lets it in again. So what a
 * person has to mend is tried ever more rarely, by one part at a time: the hundredth time after
 * seven weeks.
 */
export class ConnectAttempts implements AttemptBudget {
  readonly #clock: Clock
  readonly #failures = { person: 0, crowded: 0, passing: 0 }
  #notBeforeMs = Number.NEGATIVE_INFINITY
  /** The attempt that tells whether it is mended. */
  #trying: Promise<void> | null = null

  constructor({ clock }: ConnectAttemptsOptions) {
    this.#clock = clock
  }

  /** For a part that gives way: that the login has all its connections holds nobody else up. */
  get givingWay(): AttemptBudget {
    return { run: (connect, signal) => this.#run(connect, signal, true) }
  }

  async run<T>(connect: Connect<T>, signal: AbortSignal): Promise<T> {
    return await this.#run(connect, signal, false)
  }

  async #run<T>(connect: Connect<T>, signal: AbortSignal, givesWay: boolean): Promise<T> {
    await this.#turn(signal)
    const done = Promise.withResolvers<void>()
    if (this.#isSlow) this.#trying = done.promise
    let isReached = false
    try {
      const connection = await connect(() => {
        isReached = true
      })
      this.#succeeded()
      return connection
    } catch (error) {
      if (!signal.aborted) this.#failed(causeOf(error, isReached), givesWay)
      throw error
    } finally {
      if (this.#trying === done.promise) this.#trying = null
      done.resolve()
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#isSlow) {
      signal.throwIfAborted()
      const waitMs = this.#notBeforeMs - this.#clock.monotonicMs()
      if (this.#trying !== null) await settledOrAborted(this.#trying, signal)
      else if (waitMs > 0) await this.#clock.sleep(waitMs, { signal })
      else return
    }
  }

  get #isSlow(): boolean {
    const { person, crowded, passing } = this.#failures
    return person > 0 || crowded > 0 || passing > PASSING_ATTEMPTS
  }

  #succeeded(): void {
    Object.assign(this.#failures, { person: 0, crowded: 0, passing: 0 })
  }

  #failed(cause: Cause, givesWay: boolean): void {
    if (cause === 'unreached' || (cause === 'crowded' && givesWay)) return
    this.#failures[cause] += 1
    const { person, crowded, passing } = this.#failures
    const waitMs =
      cause === 'crowded'
        ? Math.min(CROWDED_MS_MAX, CROWDED_FIRST_MS * 2 ** Math.min(crowded - 1, 10))
        : slowMs(person + Math.max(0, passing - PASSING_ATTEMPTS))
    this.#notBeforeMs = this.#clock.monotonicMs() + waitMs
  }
}

function slowMs(failures: number): number {
  if (failures === 0) return 0
  if (failures <= SLOW_ATTEMPTS)
    return Math.min(SLOW_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10))
  return Math.min(DAY_MS, SLOW_MS * 2 ** Math.min(failures - SLOW_ATTEMPTS, 20))
}

/** Errors of the server by which it turns a login away: what a person has to mend. */
const REFUSALS: ReadonlySet<number> = new Set([
  1044, // no access to the database
  1045, // access denied
  1129, // the host is blocked
  1130, // the host is not allowed
  1251, // the authentication is not supported
  1275,
  1524, // the plugin is not loaded
  1698, // access denied, no password
  1820, // the password has to be changed
  1862, // the password has expired
  3118, // the account is locked
  3159, // only with TLS
  4151, // MariaDB: the account is locked
])
/** Too many connections: of all, of this user by the server's limit, or by its own. */
const CROWDED: ReadonlySet<number> = new Set([1040, 1203, 1226])
const PERSON_CODES: ReadonlySet<string> = new Set([
  'AUTH_SWITCH_PLUGIN_ERROR',
  'ENOTFOUND',
  'ERR_SQL_AUTHENTICATION',
  'ERR_SQL_TLS',
  'HANDSHAKE_NO_SSL_SUPPORT',
  'HANDSHAKE_SSL_ERROR',
])

function causeOf(error: unknown, isReached: boolean): Cause {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
  if (isCrowded(errno)) return 'crowded'
  if (REFUSALS.has(errno) || PERSON_CODES.has(codeOf(error))) return 'person'
  return isReached ? 'passing' : 'unreached'
}

/** Whether a server's error says that it, or this login, has no connection left. */
export function isCrowded(errno: number | null): boolean {
  return errno !== null && CROWDED.has(errno)
}

async function settledOrAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
