import { untilAborted } from '../base/until-aborted.ts'
import type { NewestSample } from '../source/source-question.ts'

type Listener = (sample: NewestSample) => void
type Watch = (onSample: Listener, signal: AbortSignal) => Promise<void>

/** One watch of a source for all who send its stream: it runs while there is a listener. */
export class SharedWatch {
  readonly #watch: Watch
  readonly #listeners = new Set<Listener>()
  #stop = new AbortController()
  /** Of the watch that runs, or ran last. */
  #running: Promise<void> = Promise.resolve()

  constructor(watch: Watch) {
    this.#watch = watch
  }

  /** Settles on abort, and for the last listener once the watch has ended. */
  async join(listener: Listener, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) this.#begin()
    try {
      await untilAborted(signal)
    } finally {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) {
        this.#stop.abort()
        await this.#running
      }
    }
  }

  #begin(): void {
    this.#stop = new AbortController()
    const { signal } = this.#stop
    const take: Listener = (sample) => {
      for (const listener of [...this.#listeners]) listener(sample)
    }
    // One that was stopped just now has to end first: it has the source's connection.
    this.#running = this.#running.then(() => this.#watch(take, signal))
  }
}
