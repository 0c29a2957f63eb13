import type { Clock } from '../base/clock.ts'
import { describeError, errorFields, type LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Trouble, type TroubleNow } from '../base/trouble.ts'

export interface DiskTurnsOptions {
  readonly clock: Clock
  readonly log: Log
  /** What a person is told of work that failed. */
  readonly failure: (cause: unknown) => LandbridgeError
}

/**
 * Work on the disk, one after the other, of those who must stop nobody: what fails is logged once
 * and is a trouble until something succeeds.
 */
export class DiskTurns {
  readonly #options: DiskTurnsOptions
  readonly #trouble: Trouble
  #working: Promise<void> = Promise.resolve()

  constructor(options: DiskTurnsOptions) {
    this.#options = options
    this.#trouble = new Trouble(options.clock)
  }

  get trouble(): TroubleNow<unknown> | null {
    return this.#trouble.now
  }

  /** Settles when it was done, or could not be. Never rejects. */
  async take(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.then(() => this.#attempt(work))
    await this.#working
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#trouble.over()
    } catch (cause) {
      const error = this.#options.failure(cause)
      const isNew = this.#trouble.met(error) === 'begun'
      if (isNew) this.#options.log.error(errorFields(error), describeError(error))
    }
  }
}
