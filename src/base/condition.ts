/**
 * "Something changed, look again": waiters wake together and re-check what they wait for.
 *
 *     while (!ready()) await condition.wait({ signal })
 */
export class Condition {
  readonly #waiters = new Set<() => void>()

  notifyAll(): void {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const wake of waiters) wake()
  }

  /** Settles at the next `notifyAll`; rejects with the signal's reason on abort. */
  async wait(options: { readonly signal: AbortSignal }): Promise<void> {
    const { signal } = options
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => reject(signal.reason)
    this.#waiters.add(resolve)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      this.#waiters.delete(resolve)
      signal.removeEventListener('abort', abort)
    }
  }
}
