import type { Clock } from '../base/clock.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { Hello } from '../link/messages.ts'
import type { Problem } from '../status/status.ts'

export interface StreamPeersOptions {
  readonly stream: string
  readonly peers: readonly Pick<PeerConfig, 'name'>[]
  readonly clock: Clock
}

interface Named {
  readonly isNamed: boolean
  readonly hasDatabase: boolean
  readonly sinceMs: number
}

/** So long the peers may take that have not said hello yet. */
const HELLOS_MS_MAX = 60_000

/** Which peers have a stream too, as their hellos say. */
export class StreamPeers {
  readonly #options: StreamPeersOptions
  readonly #named = new Map<string, Named>()

  constructor(options: StreamPeersOptions) {
    this.#options = options
  }

  /** `theirs` null: the peer does not have it. */
  heard(peer: string, theirs: Hello['streams'][number] | null): void {
    const before = this.#named.get(peer)
    const isNamed = theirs !== null
    const sinceMs = before?.isNamed === isNamed ? before.sinceMs : this.#options.clock.wallMs()
    this.#named.set(peer, { isNamed, hasDatabase: theirs?.hasDatabase === true, sinceMs })
  }

  /** Null before it said hello. */
  isNamedBy(peer: string): boolean | null {
    return this.#named.get(peer)?.isNamed ?? null
  }

  hasDatabase(peer: string): boolean {
    return this.#named.get(peer)?.hasDatabase === true
  }

  /** At the origin: when all peers lack the stream, as far as they said hello. */
  uncopied(): Problem[] {
    const { stream, peers, clock } = this.#options
    const said = [...this.#named]
    if (said.length === 0 || said.some(([, { isNamed }]) => isNamed)) return []
    const sinceMs = Math.max(...said.map(([, one]) => one.sinceMs))
    if (said.length < peers.length && clock.wallMs() - sinceMs < HELLOS_MS_MAX) return []
    const names = said.map(([peer]) => peer).join(', ')
    return [
      {
        code: 'ERR_STREAM_UNKNOWN',
        severity: 'blocked',
        where: `stream:${stream}`,
        message: `${names} has no stream named ${stream}: it is not copied`,
        remedy: `Add a stream "${stream}" where a copy is to be, or remove it here.`,
        sinceMs,
      },
    ]
  }
}
