const COUNT_MAX = 64
/** Of all values of a session: the position of a MariaDB replica in ten thousand domains. */
const BYTES_MAX = 512 * 1024
/** What V8 needs for a character at most. */
const CHARACTER_BYTES = 2

/** A session's `@name` variables: how a replica tells the source what it wants. */
export class SessionVariables {
  readonly #values = new Map<string, string | null>()
  #bytes = 0

  /** What they take at most. */
  get bytes(): number {
    return this.#bytes
  }

  /** All or none: false where it would be more than a replica ever sets. */
  set(variables: readonly (readonly [name: string, value: string | null])[]): boolean {
    const values = new Map(this.#values)
    for (const [name, value] of variables) values.set(name, value)
    let bytes = 0
    for (const [name, value] of values) bytes += bytesOf(name, value)
    if (values.size > COUNT_MAX || bytes > BYTES_MAX) return false
    for (const [name, value] of variables) {
      this.#values.set(ownCopy(name), value === null ? null : ownCopy(value))
    }
    this.#bytes = bytes
    return true
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
    this.#bytes = 0
  }
}

function bytesOf(name: string, value: string | null): number {
  return CHARACTER_BYTES * (name.length + (value?.length ?? 0))
}

/** A piece of a text keeps the whole of it in memory: here the statement, with its remarks. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString()
}
