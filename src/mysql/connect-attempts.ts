import { abortable } from '../base/abortable.ts'
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
 * `refused`: the server said no, or its name is unknown. `handshake`: this side broke off, since
 * the server does not prove who it is. A person has to mend both. `crowded`: the login has all
 * the connections that it may. `unreached`: nobody took the connection. `passing`: it broke off,
 * or nothing came, before the login was answered; or whoever asked for it left. The server counts
 * that as well.
 */
type Cause = 'refused' | 'handshake' | 'crowded' | 'unreached' | 'passing'

const FIRST_MS = 1_000
const SLOW_MS = 60_000
const HOUR_MS = 3_600_000
/** What breaks off is found again within this time, also after hours: nobody mended anything. */
const PASSING_MS_MAX = 5 * 60_000
/** So many in a row come once a minute at most; then each waits twice as long, up to an hour. */
const SLOW_ATTEMPTS = 40
/** So many may break off in a row, as when a server comes up, before they are taken for lasting. */
const PASSING_ATTEMPTS = 20
const CROWDED_FIRST_MS = 100
const CROWDED_MS_MAX = 5_000

/**
 * The attempts to log in to one database server, over all parts that connect to it. A server
 * counts handshakes that break off by the host that they come from, and after `max_connect_errors`
 * (100) in a row it refuses that whole host, with error 1129, until a person lets it in again. So
 * these are tried ever more rarely, by one part at a time: the hundredth time after two days. It
 * does not count a login that it refuses (SUM_CONNECT_ERRORS of performance_schema.host_cache):
 * that is tried once a minute for as long as it lasts.
 */
export class ConnectAttempts implements AttemptBudget {
  readonly #clock: Clock
  readonly #failures = { refused: 0, handshake: 0, crowded: 0, passing: 0 }
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
      this.#failed(causeOf(error, isReached), givesWay)
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
      if (this.#trying !== null) await abortable(this.#trying, signal)
      else if (waitMs > 0) await this.#clock.sleep(waitMs, { signal })
      else return
    }
  }

  get #isSlow(): boolean {
    const { refused, handshake, crowded, passing } = this.#failures
    return refused + handshake + crowded > 0 || passing > PASSING_ATTEMPTS
  }

  #succeeded(): void {
    Object.assign(this.#failures, { refused: 0, handshake: 0, crowded: 0, passing: 0 })
  }

  #failed(cause: Cause, givesWay: boolean): void {
    if (cause === 'unreached' || (cause === 'crowded' && givesWay)) return
    this.#failures[cause] += 1
    this.#notBeforeMs = this.#clock.monotonicMs() + this.#waitMs(cause)
  }

  #waitMs(cause: Exclude<Cause, 'unreached'>): number {
    const { refused, handshake, crowded, passing } = this.#failures
    if (cause === 'crowded') return doubled(CROWDED_FIRST_MS, crowded, CROWDED_MS_MAX)
    if (cause === 'refused') return doubled(FIRST_MS, refused, SLOW_MS)
    const counted = handshake + Math.max(0, passing - PASSING_ATTEMPTS)
    if (counted <= SLOW_ATTEMPTS) return doubled(FIRST_MS, counted, SLOW_MS)
    const msMax = cause === 'passing' ? PASSING_MS_MAX : HOUR_MS
    return doubled(2 * SLOW_MS, counted - SLOW_ATTEMPTS, msMax)
  }
}

/** `firstMs` after the first failure, twice as long after each further one. */
function doubled(firstMs: number, failures: number, msMax: number): number {
  return failures === 0 ? 0 : Math.min(msMax, firstMs * 2 ** Math.min(failures - 1, 20))
}

/** Errors of the server by which it turns a login away. */
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
const HANDSHAKE_CODES: ReadonlySet<string> = new Set([
  'AUTH_SWITCH_PLUGIN_ERROR',
  'ERR_SQL_AUTHENTICATION',
  'ERR_SQL_TLS',
  'HANDSHAKE_NO_SSL_SUPPORT',
  'HANDSHAKE_SSL_ERROR',
])

function causeOf(error: unknown, isReached: boolean): Cause {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
  if (isCrowded(errno)) return 'crowded'
  if (REFUSALS.has(errno) || codeOf(error) === 'ENOTFOUND') return 'refused'
  if (HANDSHAKE_CODES.has(codeOf(error))) return 'handshake'
  return isReached ? 'passing' : 'unreached'
}

/** Whether a server's error says that it, or this login, has no connection left. */
export function isCrowded(errno: number | null): boolean {
  return errno !== null && CROWDED.has(errno)
}
