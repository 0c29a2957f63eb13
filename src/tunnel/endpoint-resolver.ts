import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { codeOf } from '../base/errors.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** All addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly string[]>

export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true, order: 'ipv4first' })).map(({ address }) => address)

/**
 * Names the address to try next. WireGuard itself resolves a name once and never again, so this is
 * asked anew for as long as there is no handshake: all addresses of all endpoints in turn. When a
 * name cannot be resolved, its last good addresses stay in use.
 */
export class EndpointResolver {
  readonly #endpoints: readonly Endpoint[]
  readonly #lookup: Lookup
  readonly #lastGood = new Map<string, readonly string[]>()
  #attempts = 0
  #failure: string | null = null

  constructor(endpoints: readonly Endpoint[], lookupHost: Lookup = systemLookup) {
    this.#endpoints = endpoints
    this.#lookup = lookupHost
  }

  /** Why a name of the last attempt could not be resolved; null when all could. */
  get failure(): string | null {
    return this.#failure
  }

  /** `address:port`; null when the peer has no endpoint, or none that could ever be resolved. */
  async next(): Promise<string | null> {
    this.#failure = null
    const candidates: string[] = []
    for (const { host, port } of this.#endpoints) {
      for (const address of await this.#addresses(host)) {
        candidates.push(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)
      }
    }
    if (candidates.length === 0) return null
    const chosen = candidates[this.#attempts % candidates.length] ?? null
    this.#attempts += 1
    return chosen
  }

  async #addresses(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host]
    try {
      const addresses = await this.#lookup(host)
      this.#lastGood.set(host, addresses)
    } catch (error) {
      this.#failure = `${host} cannot be resolved (${codeOf(error)})`
    }
    return this.#lastGood.get(host) ?? []
  }
}
