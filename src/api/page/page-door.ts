import { isIPv6 } from 'node:net'
import { isLoopback } from '../../base/loopback.ts'

export interface DoorOptions {
  /** Where the page listens. */
  readonly host: string
  /** Names that its certificate has; only with TLS are they asked for. */
  readonly names: readonly string[]
  readonly scheme: 'http' | 'https'
}

/**
 * Who may come in by what a browser says of itself. A page of somebody else can make a browser
 * send requests here, also under a name of its own that it lets point to 127.0.0.1 (DNS rebinding).
 * It can forge neither Host nor Origin. Any port will do: `ssh -L` chooses its own.
 */
export class PageDoor {
  readonly #options: DoorOptions

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /** Whether a request under this Host is for us. */
  allowsHost(host: string | undefined): boolean {
    const name = nameIn(host)
    if (name === null) return false
    const { host: own, names } = this.#options
    if (isLoopback(own) && isLoopback(name)) return true
    return [own, ...names].some((known) => known.toLowerCase() === name)
  }

  /** Whether a WebSocket is asked for by the page itself. */
  allowsOrigin(origin: string | undefined, host: string | undefined): boolean {
    if (!this.allowsHost(host)) return false
    return origin === `${this.#options.scheme}://${host}`.toLowerCase()
  }
}

/** `localhost` of `localhost:7480`, `::1` of `[::1]:7480`; null for what is no Host. */
function nameIn(host: string | undefined): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(
    host?.toLowerCase() ?? '',
  )
  const [, bracketed, plain] = match ?? []
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed : null
  return plain ?? null
}
