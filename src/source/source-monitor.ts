import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { codeOf, type LandbridgeError } from '../base/errors.ts'
import { crowded, type SourceAddress, SourceConnection } from './source-connection.ts'
import { type NewestSample, SourceQuestion } from './source-question.ts'

export interface SourceMonitorOptions {
  readonly address: SourceAddress
  readonly clock: Clock
  /** Called now and then, to look at what only a new dump would run into. */
  readonly inspect?: (connection: SourceConnection) => Promise<void>
}

export interface SourceMonitorTrouble {
  readonly error: LandbridgeError
  readonly sinceMs: number
}

const INSPECT_EVERY_MS = 10_000

/** So long it stays away when no dump gets a connection. */
const GIVE_WAY_MS = 60_000
/** Where it alone has no connection, it is tried again after so long at most. */
const CROWDED_MS_MAX = 60_000

/**
 * Asks the source where it is, beside the dump and on a connection of its own: what the dump has
 * not delivered yet is known only this way. A source that does not answer yields no samples. Where
 * the login may have too few connections, the dump goes first.
 */
export class SourceMonitor {
  readonly #options: SourceMonitorOptions
  /** Ends the connection that it has. */
  #giving = new AbortController()
  #isAway = false
  #mayReturn = Promise.withResolvers<void>()
  #trouble: SourceMonitorTrouble | null = null

  constructor(options: SourceMonitorOptions) {
    this.#options = options
  }

  /** Why it has no connection while the dump has one; null where that is not so, or not known. */
  get trouble(): SourceMonitorTrouble | null {
    return this.#trouble
  }

  /** The dump gets no connection: this one is let go, until `comeBack`. */
  giveWay(): void {
    if (!this.#isAway) this.#mayReturn = Promise.withResolvers<void>()
    this.#isAway = true
    this.#giving.abort()
  }

  comeBack(): void {
    this.#isAway = false
    this.#mayReturn.resolve()
  }

  async run(onSample: (sample: NewestSample) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const backoff = new Backoff({ clock, capMs: 5_000 })
    const crowdedBackoff = new Backoff({ clock, firstMs: 1_000, capMs: CROWDED_MS_MAX })
    while (!signal.aborted) {
      this.#giving = new AbortController()
      try {
        await this.#away(signal)
        const either = AbortSignal.any([signal, this.#giving.signal])
        await this.#watch(onSample, [backoff, crowdedBackoff], either)
      } catch (error) {
        if (signal.aborted) break
        const isCrowded = !this.#isAway && codeOf(error) === 'ERR_SOURCE_CONNECTIONS'
        this.#noteTrouble(isCrowded ? error : null)
        // The dump's own connection reports what else is wrong with the source; here it is silence.
        await (isCrowded ? crowdedBackoff : backoff).wait({ signal }).catch(() => undefined)
      }
    }
    this.#trouble = null
  }

  #noteTrouble(cause: unknown): void {
    const sinceMs = this.#trouble?.sinceMs ?? this.#options.clock.wallMs()
    const message = 'the source gives the login no second connection beside the dump: nothing is'
    const text = `${message} known of its newest commit, so what would be lost is not known either`
    this.#trouble = cause === null ? null : { error: crowded(text, cause), sinceMs }
  }

  async #away(signal: AbortSignal): Promise<void> {
    if (!this.#isAway) return
    const done = new AbortController()
    const options = { signal: AbortSignal.any([signal, done.signal]) }
    const longest = this.#options.clock.sleep(GIVE_WAY_MS, options)
    try {
      await Promise.race([this.#mayReturn.promise, longest])
    } finally {
      done.abort()
      await longest.catch(() => undefined)
      this.#isAway = false
    }
  }

  async #watch(
    onSample: (sample: NewestSample) => void,
    backoffs: readonly Backoff[],
    signal: AbortSignal,
  ): Promise<void> {
    const { address, clock, inspect } = this.#options
    const connection = await SourceConnection.open(address, signal)
    const abort = (): void => connection.close()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const question = await SourceQuestion.of(connection, clock)
      let inspectedMs = clock.monotonicMs()
      while (!signal.aborted) {
        const sample = await question.ask()
        for (const backoff of backoffs) backoff.reset()
        this.#trouble = null
        if (sample !== null) onSample(sample)
        // Not at once: the dump that begins beside this has just looked.
        if (clock.monotonicMs() - inspectedMs >= INSPECT_EVERY_MS) {
          await inspect?.(connection)
          inspectedMs = clock.monotonicMs()
        }
        await clock.sleep(question.everyMs, { signal })
      }
    } finally {
      signal.removeEventListener('abort', abort)
      connection.close()
    }
  }
}
