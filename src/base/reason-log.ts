import type { Clock } from './clock.ts'
import { describeError, errorFields } from './errors.ts'
import type { Log } from './log.ts'

export interface ReasonLogOptions {
  readonly clock: Clock
  readonly log: Log
  /** A trouble that stays the same is told again after so long. */
  readonly remindMs?: number
}

const REMIND_MS = 300_000

/**
 * Warns of what is tried again and again: one line when the reason changes, then a reminder now
 * and then. A peer that is away for a night does not fill a disk.
 */
export class ReasonLog {
  readonly #options: ReasonLogOptions
  #code: string | null = null
  #toldMs = 0
  #untold = 0

  constructor(options: ReasonLogOptions) {
    this.#options = options
  }

  warn(code: string, message: string, fields: object = {}): void {
    const { clock, log, remindMs = REMIND_MS } = this.#options
    const nowMs = clock.monotonicMs()
    if (code === this.#code && nowMs - this.#toldMs < remindMs) {
      this.#untold += 1
      return
    }
    const repeated = code === this.#code && this.#untold > 0 ? { repeated: this.#untold } : {}
    log.warn({ code, ...fields, ...repeated }, message)
    this.#code = code
    this.#toldMs = nowMs
    this.#untold = 0
  }

  /** Of an error, after `what` failed. It says what to do about it each time that it is told. */
  warnOf(what: string, error: unknown, fields: object = {}): void {
    const known = errorFields(error)
    this.warn(known.code, `${what}: ${describeError(error)}`, { ...fields, ...known })
  }

  /** The trouble is over: the same reason is news again. */
  over(): void {
    this.#code = null
    this.#untold = 0
  }
}
