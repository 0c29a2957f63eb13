import type { Clock } from './clock.ts'

export interface BackoffOptions {
  readonly clock: Clock
  readonly firstMs?: number
  readonly capMs?: number
  /** 0 to 1; injected so that tests are exact. */
  readonly random?: () => number
}

/**
 * Doubling waits with a cap and jitter of 0.5 to 1 of the nominal delay, so that a pair which
 * lost each other at the same instant does not meet in lockstep. Retries are unlimited in number:
 * a gateway never gives up.
 */
export class Backoff {
  readonly #clock: Clock
  readonly #firstMs: number
  readonly #capMs: number
  readonly #random: () => number
  #attempts = 0

  constructor(options: BackoffOptions) {
    this.#clock = options.clock
    this.#firstMs = options.firstMs ?? 200
    this.#capMs = options.capMs ?? 5_000
    this.#random = options.random ?? Math.random
  }

  get attempts(): number {
    return this.#attempts
  }

  /** Call after success: the next wait is the first one again. */
  reset(): void {
    this.#attempts = 0
  }

  nextMs(): number {
    const nominalMs = Math.min(this.#capMs, this.#firstMs * 2 ** Math.min(this.#attempts, 30))
    this.#attempts += 1
    return nominalMs * (0.5 + this.#random() / 2)
  }

  async wait(options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#clock.sleep(this.nextMs(), options)
  }
}
