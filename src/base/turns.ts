import { abortable } from './abortable.ts'

/** Gives the turn back. May be called more than once. */
export type Release = () => void

/** One at a time, in the order in which they came. */
export class Turns {
  #last: Promise<void> = Promise.resolve()

  /**
   * Settles when it is the caller's turn, which lasts until it calls what it gets. Rejects on
   * abort.
   */
  async take(signal?: AbortSignal): Promise<Release> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    try {
      await (signal === undefined ? before : abortable(before, signal))
      return resolve
    } catch (error) {
      // Whoever waits behind waits for those before this one, too.
      void before.then(resolve)
      throw error
    }
  }
}
