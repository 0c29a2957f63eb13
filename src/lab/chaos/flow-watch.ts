import { linksOfStream } from '../../status/links.ts'
import type { GatewayStatus } from '../../status/status.ts'

/** What is looked at about twice a second, while faults last and after. */
export interface FlowSample {
  readonly nowMs: number
  /** The copy's gateway's answer; null when it gave none, which nobody takes for health. */
  readonly status: Pick<GatewayStatus, 'nowMs' | 'state' | 'links' | 'streams'> | null
  /** Transactions that the source has acknowledged so far. */
  readonly acknowledged: number
}

/**
 * Longest that nothing may flow while status is `ok`. A silent link is a problem after 7 s, a
 * stream of which nothing is heard after 15 s, one that stands still after 20 s.
 */
export const UNTOLD_MS_MAX = 25_000
const NEW_LINK_MS = 10_000

/**
 * Holds the status against what flows: while the source goes on committing and nothing of it is
 * synced at the copy, status must not be `ok`. Pure; one finding each time that it stands still.
 */
export class FlowWatch {
  readonly #stream: string
  readonly #failures: string[] = []
  #synced = ''
  /** When a commit was first seen of which nothing is synced; null: there is none. */
  #waitingSinceMs: number | null = null
  /** Null before the first sample: what it has is where counting begins. */
  #acknowledged: number | null = null
  #found = false

  constructor(stream: string) {
    this.#stream = stream
  }

  get failures(): readonly string[] {
    return this.#failures
  }

  observe({ nowMs, status, acknowledged }: FlowSample): void {
    const grew = acknowledged > (this.#acknowledged ?? acknowledged)
    this.#acknowledged = acknowledged
    const name = this.#stream
    const place = status?.streams.find((stream) => stream.name === name)?.spool?.synced
    const synced = place
      ? `${place.epoch}/${place.file ?? place.gtids}:${place.offset}`
      : this.#synced
    if (synced !== this.#synced) {
      this.#synced = synced
      this.#waitingSinceMs = null
      this.#found = false
    } else if (grew) {
      this.#waitingSinceMs ??= nowMs
    }
    if (this.#found || this.#waitingSinceMs === null || status?.state !== 'ok') return
    if (isNewLink(status, name)) return
    const waitingMs = nowMs - this.#waitingSinceMs
    if (waitingMs < UNTOLD_MS_MAX) return
    this.#found = true
    const seconds = Math.round(waitingMs / 1_000)
    this.#failures.push(
      `status was ok, though the source committed and nothing was synced for ${seconds} s`,
    )
  }
}

/** A link that has just come back brings its first bytes in a moment; one that flaps is none. */
function isNewLink(
  { nowMs, links }: Pick<GatewayStatus, 'nowMs' | 'links'>,
  name: string,
): boolean {
  const [link] = linksOfStream(links, { name })
  if (link === undefined) return false
  const upMs = link.state === 'up' ? nowMs - (link.sinceMs ?? nowMs) : 0
  return upMs < NEW_LINK_MS && link.unsteadySessions < 2
}
