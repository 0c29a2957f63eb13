import { LandbridgeError } from '../base/errors.ts'

const COUNT_MAX = 64
const VALUE_LENGTH_MAX = 1024 * 1024

/** A session's `@name` variables: how a replica tells the source what it wants. */
export class SessionVariables {
  readonly #values = new Map<string, string | null>()

  set(name: string, value: string | null): void {
    const isTooMuch = !this.#values.has(name) && this.#values.size >= COUNT_MAX
    if (isTooMuch || (value?.length ?? 0) > VALUE_LENGTH_MAX) {
      throw new LandbridgeError('ERR_MALFORMED', 'the client sets more variables than a replica')
    }
    this.#values.set(name, value)
  }

  get(name: string): string | null {
    return this.#values.get(name) ?? null
  }

  /** The first of several names that is set: MySQL renamed them, MariaDB did not. */
  first(...names: readonly string[]): string | null {
    for (const name of names) {
      const value = this.get(name)
      if (value !== null) return value
    }
    return null
  }

  clear(): void {
    this.#values.clear()
  }
}
