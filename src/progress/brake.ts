import { describeError, LandbridgeError } from '../base/errors.ts'
import { durationText } from '../base/quantity-text.ts'
import type { ThrottleLimit } from './throttle-limit.ts'

/** What one look at the brake told. */
export interface BrakeAnswer {
  readonly brakes: boolean
  /** For people: `503`, `17`. */
  readonly text: string
}

export interface BrakeOptions {
  /** For people: `brake http://127.0.0.1:8080/brake`. */
  readonly name: string
  /** So long a brake that does not answer holds; then it lets go. */
  readonly silentMs: number
  /** Wall clock, when it is asked for the first time. */
  readonly nowMs: number
}

export interface BrakeSilence {
  readonly error: LandbridgeError
  readonly sinceMs: number
  readonly holds: boolean
}

/**
 * What an external brake says: pure. Whoever does not answer may have reason to brake, so that
 * holds at first, as with gh-ost. But a brake that broke must not cost the copy: after `silentMs`
 * it lets go, and the problem stands for as long as it is silent.
 *
 *     asked ──brakes──▶ holds ──answers──▶ free
 *       └──silent──▶ holds ──for silentMs──▶ free, with a problem
 */
export class Brake {
  readonly #options: BrakeOptions
  #answer: (BrakeAnswer & { readonly sinceMs: number }) | null = null
  #silence: { readonly error: unknown; readonly sinceMs: number } | null

  constructor(options: BrakeOptions) {
    this.#options = options
    const error = new Error('it was not asked yet')
    this.#silence = { error, sinceMs: options.nowMs }
  }

  answered({ brakes, text }: BrakeAnswer, nowMs: number): void {
    this.#silence = null
    const sinceMs = this.#answer?.brakes === brakes ? this.#answer.sinceMs : nowMs
    this.#answer = { brakes, text, sinceMs }
  }

  failed(error: unknown, nowMs: number): void {
    this.#silence = { error, sinceMs: this.#silence?.sinceMs ?? nowMs }
  }

  /** Null while it lets everything pass. */
  limit(nowMs: number): ThrottleLimit | null {
    const { name, silentMs } = this.#options
    const common = { bytesPerSecond: 0, by: 'brake' } as const
    if (this.#silence !== null) {
      const { sinceMs } = this.#silence
      const untilMs = sinceMs + silentMs
      if (nowMs >= untilMs) return null
      return { ...common, reason: `${name} does not answer`, sinceMs, untilMs }
    }
    if (this.#answer === null || !this.#answer.brakes) return null
    const { text, sinceMs } = this.#answer
    return { ...common, reason: `${name} says ${text}`, sinceMs, untilMs: null }
  }

  /** Why it cannot be asked, once it has been tried; null while it answers. */
  silence(nowMs: number): BrakeSilence | null {
    if (this.#silence === null) return null
    const { name, silentMs } = this.#options
    const { error: cause, sinceMs } = this.#silence
    const untilMs = sinceMs + silentMs
    const holds = nowMs < untilMs
    const then = holds
      ? `it holds the stream for up to ${durationText(untilMs - nowMs)} more`
      : 'it does not hold the stream any more'
    const message = `${name} does not answer (${describeError(cause)}): ${then}`
    const error = new LandbridgeError('ERR_BRAKE_SILENT', message, {
      retryable: true,
      remedy:
        'Mend what it asks, or take `brake` out of the stream’s `throttle`. How long it holds ' +
        'while it is silent says `brake.silentFor`.',
    })
    return { error, sinceMs, holds }
  }
}
