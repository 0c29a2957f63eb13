import type { Clock } from '../../src/base/clock.ts'

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/** A clock that moves only when a test says so. `wall` can be stepped apart from `monotonic`. */
export class FakeClock implements Clock {
  #monotonicMs = 0
  #wallAheadMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(wallMs = 1_700_000_000_000) {
    this.#wallAheadMs = wallMs
  }

  wallMs(): number {
    return this.#monotonicMs + this.#wallAheadMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  get sleeping(): number {
    return this.#sleepers.size
  }

  sleep(delayMs: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#sleepers.delete(sleeper)
        reject(new DOMException('The operation was aborted', 'AbortError'))
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const sleeper = { dueMs: this.#monotonicMs + delayMs, wake }
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Steps the wall clock only, as an NTP correction does. */
  stepWall(byMs: number): void {
    this.#wallAheadMs += byMs
  }

  /** Moves time on and wakes sleepers in the order they are due, letting each run in between. */
  async advance(byMs: number): Promise<void> {
    const targetMs = this.#monotonicMs + byMs
    await settle()
    for (;;) {
      const next = [...this.#sleepers].sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined || next.dueMs > targetMs) break
      this.#sleepers.delete(next)
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs)
      next.wake()
      await settle()
    }
    this.#monotonicMs = targetMs
  }
}

/** Lets everything run that waits for nothing but other promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
