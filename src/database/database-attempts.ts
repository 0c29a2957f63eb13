import type { Clock } from '../base/clock.ts'
import type { HostPort } from '../config/address.ts'
import { formatHostPort } from '../config/address.ts'
import { ConnectAttempts } from '../mysql/connect-attempts.ts'

/** One budget of attempts for each server, whichever streams have a database there. */
export class DatabaseAttempts {
  readonly #clock: Clock
  readonly #servers = new Map<string, ConnectAttempts>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `server` null: a stream without one, whose budget nobody spends. */
  at(server: HostPort | null): ConnectAttempts {
    if (server === null) return new ConnectAttempts({ clock: this.#clock })
    const key = formatHostPort(server)
    const known = this.#servers.get(key) ?? new ConnectAttempts({ clock: this.#clock })
    this.#servers.set(key, known)
    return known
  }
}
