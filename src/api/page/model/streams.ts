import type { GatewayStatus, StreamStatus } from '../../../status/status.ts'
import type { PeerView, ViewMessage } from '../protocol.ts'

/** What one gateway says, and how old that is. */
export interface Side {
  readonly gateway: string
  readonly status: GatewayStatus | null
  /** Null: nothing was heard of it yet. 0 for the gateway that serves the page. */
  readonly ageMs: number | null
  readonly error: PeerView['error']
  readonly isOwn: boolean
}

/** A peer is asked once a second: what is older is said to be old. */
export const OLD_MS = 3_000

/** All gateways whose word there is, this one first. */
export function sidesOf(view: ViewMessage): Side[] {
  const { status, peers, atMs } = view
  const own: Side = { gateway: status.name, status, ageMs: 0, error: null, isOwn: true }
  const others = peers.map(({ name, status: theirs, heardAtMs, error }): Side => {
    const ageMs = heardAtMs === null ? null : Math.max(0, atMs - heardAtMs)
    return { gateway: name, status: theirs, ageMs, error, isOwn: false }
  })
  return [own, ...others]
}

export function isOld({ ageMs }: Side): boolean {
  return ageMs === null || ageMs > OLD_MS
}

/** A stream at one of its places. */
export interface StreamAt {
  readonly side: Side
  readonly stream: StreamStatus
}

/** A stream as all gateways that can be heard have it. */
export interface StreamEverywhere {
  readonly name: string
  readonly origin: StreamAt | null
  /** Of the site that is origin, also where its gateway cannot be heard. */
  readonly originSite: string
  readonly copies: readonly CopyAt[]
}

/** A copy, and what there is of it: its own word, or only what the origin says. */
export interface CopyAt {
  readonly gateway: string
  readonly site: string
  readonly at: StreamAt | null
  readonly side: Side | null
}

/** Every stream of this gateway, with what the others say of it. */
export function streamsOf(view: ViewMessage): StreamEverywhere[] {
  const sides = sidesOf(view)
  return view.status.streams.map((own) => everywhere(own, view.status, sides))
}

function everywhere(
  own: StreamStatus,
  ownStatus: GatewayStatus,
  sides: readonly Side[],
): StreamEverywhere {
  const places = sides.flatMap((side): StreamAt[] => {
    const stream = side.status?.streams.find(({ name }) => name === own.name)
    return stream === undefined ? [] : [{ side, stream }]
  })
  const origin = places.find(({ stream }) => stream.role === 'origin') ?? null
  const copies = places
    .filter(({ stream }) => stream.role === 'copy')
    .map((at): CopyAt => {
      const { gateway, status } = at.side
      return { gateway, site: status?.site ?? gateway, at, side: at.side }
    })
  // Copies that only the origin knows of.
  const silent = (origin?.stream.copies ?? [])
    .filter(({ peer }) => !copies.some(({ gateway }) => gateway === peer))
    .map(({ peer, site }): CopyAt => {
      const side = sides.find(({ gateway }) => gateway === peer) ?? null
      return { gateway: peer, site, at: null, side }
    })
  const originSite = origin?.side.status?.site ?? own.term.origin
  const isAlone = copies.length + silent.length === 0 && own.role === 'copy'
  const self = { gateway: ownStatus.name, site: ownStatus.site, at: null, side: null }
  return { name: own.name, origin, originSite, copies: isAlone ? [self] : [...copies, ...silent] }
}
