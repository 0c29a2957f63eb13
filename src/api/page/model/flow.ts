import { plural } from '../../../base/quantity-text.ts'
import type { LinkStatus, ReplicaStatus, StreamStatus } from '../../../status/status.ts'
import type { ViewMessage } from '../protocol.ts'
import { byteRate, count, perSecond, shortAge, shortBytes, shortDuration } from './format.ts'
import type { Mood } from './questions.ts'
import { type CopyAt, isOld, type Side, type StreamEverywhere, streamsOf } from './streams.ts'

export interface Fact {
  readonly name: string
  readonly value: string
}

/** A place that bytes come through. */
export interface Station {
  readonly kind: 'database' | 'gateway' | 'spool' | 'replica'
  readonly title: string
  readonly state: string
  readonly mood: Mood | 'unknown'
  readonly facts: readonly Fact[]
}

/** The way from one to the next. */
export interface Hop {
  readonly kind: 'dump' | 'tunnel' | 'sync' | 'relay'
  readonly title: string
  readonly mood: Mood | 'unknown'
  readonly facts: readonly Fact[]
}

export interface FlowSite {
  readonly site: string
  readonly role: 'origin' | 'copy'
  /** Set: nothing was heard of its gateway for so long. */
  readonly old: string | null
  readonly stations: readonly Station[]
}

export interface FlowBranch {
  readonly key: string
  readonly tunnel: Hop
  readonly copy: FlowSite
}

/** Not every gateway says why it holds back, and how much. */
export interface ThrottleShown {
  readonly bytesPerSecond: number | null
  readonly reason?: string | null
  readonly waitingBytes?: number
}

/** One stream, from the database at the origin to the replicas of every copy. */
export interface Flow {
  readonly stream: string
  readonly term: number
  readonly origin: FlowSite
  readonly branches: readonly FlowBranch[]
}

export function flowsOf(view: ViewMessage): Flow[] {
  return streamsOf(view).map((stream, index) => {
    const own = view.status.streams[index]
    return {
      stream: stream.name,
      term: own?.term.term ?? 0,
      origin: originSite(stream, own),
      branches: stream.copies.map((copy) => ({
        key: copy.gateway,
        tunnel: tunnelHop(stream, copy, view),
        copy: copySite(copy),
      })),
    }
  })
}

const STATE_MOODS: Readonly<Record<StreamStatus['state'], Mood>> = {
  streaming: 'good',
  idle: 'warn',
  connecting: 'warn',
  parked: 'warn',
  blocked: 'bad',
}

function originSite(stream: StreamEverywhere, own: StreamStatus | undefined): FlowSite {
  const { origin, copies, originSite: site } = stream
  // Seen from a copy, when the origin is silent.
  const known = origin?.stream ?? copies.find(({ at }) => at !== null)?.at?.stream ?? own
  const old = origin === null || isOld(origin.side)
  const source = known?.source
  const isUp = source?.connected === true
  const throttle: ThrottleShown = known?.throttle ?? { bytesPerSecond: null }
  const gateway = origin?.side.gateway ?? site
  return {
    site,
    role: 'origin',
    old: old ? oldText(origin?.side.ageMs ?? null) : null,
    stations: [
      {
        kind: 'database',
        title: source?.host ?? 'database',
        state: isUp ? 'read' : 'not connected',
        mood: old ? 'unknown' : isUp ? 'good' : 'bad',
        facts: facts(
          ['server', serverText(known)],
          ['writes at', placeText(source?.position ?? null)],
          ['heard', shortAge(source?.heardAgoMs ?? null)],
        ),
      },
      {
        kind: 'gateway',
        title: gateway,
        state: old ? 'not heard' : (origin?.stream.state ?? 'unknown'),
        mood: old ? 'unknown' : STATE_MOODS[origin?.stream.state ?? 'idle'],
        facts: facts(
          ['state', origin?.side.status?.state ?? null],
          ['throttle', limitText(throttle)],
          ['because', throttle.reason ?? null],
          ['waiting', throttle.waitingBytes ? shortBytes(throttle.waitingBytes) : null],
        ),
      },
    ],
  }
}

function tunnelHop({ origin }: StreamEverywhere, copy: CopyAt, view: ViewMessage): Hop {
  const ends = [copy.at?.side, origin?.side].filter((side) => side !== undefined && !isOld(side))
  const links = ends.flatMap((side) => linksAt(side, copy, origin?.side.gateway))
  const [link] = links
  const isUp = links.length > 0 && links.every(({ state }) => state === 'up')
  const sent = origin?.stream.copies.find(({ peer }) => peer === copy.gateway)
  const away = view.status.name === copy.gateway ? origin?.side.gateway : copy.gateway
  const own = view.status.tunnel.peers.find(({ name }) => name === away)
  const { receiveLag = null, rates = null } = copy.at?.stream ?? {}
  const rate = rates === null || !isUp ? null : byteRate(rates.bytesPerSecond)
  const transactions = rates === null || !isUp ? null : perSecond(rates.transactionsPerSecond)
  return {
    kind: 'tunnel',
    title: isUp ? 'link up' : link === undefined ? 'link unknown' : 'link down',
    mood: isUp ? 'good' : link === undefined ? 'unknown' : 'bad',
    facts: facts(
      ['throughput', rate],
      ['transactions', transactions],
      ['round trip', isUp ? shortDuration(link?.roundTripMs ?? null) : null],
      ['tunnel', own?.state ?? null],
      ['down for', isUp || !link?.sinceMs ? null : shortDuration(view.atMs - link.sinceMs)],
      ['behind', receiveLag === null ? null : shortDuration(receiveLag.ms)],
      ['in flight', sent === undefined || !isUp ? null : shortBytes(sent.inFlightBytes)],
    ),
  }
}

/** The session that the stream takes, as one of its ends sees it. */
function linksAt(side: Side | undefined, copy: CopyAt, origin: string | undefined): LinkStatus[] {
  const isCopy = side?.gateway === copy.gateway
  const [role, peer] = isCopy ? ['receiver', origin] : ['sender', copy.gateway]
  const all = side?.status?.links ?? []
  return all.filter((link) => link.role === role && (peer === undefined || link.peer === peer))
}

function copySite({ gateway, site, at, side }: CopyAt): FlowSite {
  const old = at === null || isOld(at.side)
  const { stream } = at ?? {}
  const spool = stream?.spool ?? null
  return {
    site,
    role: 'copy',
    old: old ? oldText(side?.ageMs ?? null) : null,
    stations: [
      {
        kind: 'gateway',
        title: gateway,
        state: old ? 'not heard' : (stream?.state ?? 'unknown'),
        mood: old ? 'unknown' : STATE_MOODS[stream?.state ?? 'idle'],
        facts: facts(
          ['state', at?.side.status?.state ?? null],
          ['received', stream === undefined ? null : shortBytes(stream.bytesReceived)],
        ),
      },
      {
        kind: 'spool',
        title: 'spool',
        state: spool === null ? 'unknown' : 'synced',
        mood: old || spool === null ? 'unknown' : 'good',
        facts: facts(
          ['up to', placeText(spool?.synced ?? null)],
          [
            'holds',
            spool === null ? null : `${shortBytes(spool.bytes)}, ${plural(spool.files, 'file')}`,
          ],
        ),
      },
      ...(stream?.replicas ?? []).map((replica) => replicaStation(replica, old)),
      ...(stream !== undefined && stream.replicas.length === 0 ? [noReplica] : []),
    ],
  }
}

const noReplica: Station = {
  kind: 'replica',
  title: 'no replica',
  state: 'none is fed here',
  mood: 'bad',
  facts: [],
}

function replicaStation(replica: ReplicaStatus, old: boolean): Station {
  const { serverId, state, applyLag, applyError, address, delaySeconds } = replica
  const isFed = state === 'streaming' || state === 'caught-up'
  const mood = applyError !== null ? 'bad' : isFed ? 'good' : 'warn'
  return {
    kind: 'replica',
    title: `replica ${serverId}`,
    state: applyError === null ? state : 'does not apply',
    mood: old ? 'unknown' : mood,
    facts: facts(
      ['behind', lagText(applyLag)],
      ['late on purpose', delaySeconds ? shortDuration(delaySeconds * 1000) : null],
      ['from', address],
      ['error', applyError],
    ),
  }
}

function lagText(lag: ReplicaStatus['applyLag']): string | null {
  if (lag === null || lag.ms === null) return null
  if (lag.transactions === 0) return 'nothing'
  if (lag.transactions === null) return shortDuration(lag.ms)
  return `${shortDuration(lag.ms)}, ${plural(lag.transactions, 'transaction')}`
}

function serverText(stream: StreamStatus | undefined): string | null {
  const version = stream?.source.serverVersion ?? null
  if (version === null) return null
  const flavor = stream?.flavor === 'mariadb' ? 'MariaDB' : 'MySQL'
  return `${flavor} ${version.replace(/-mariadb.*/i, '')}`
}

function placeText(position: StreamStatus['source']['position']): string | null {
  if (position === null || position.file === null) return null
  return `${position.file} at ${count(position.offset)}`
}

function limitText({ bytesPerSecond }: ThrottleShown): string | null {
  if (bytesPerSecond === null) return null
  return bytesPerSecond === 0 ? 'paused' : byteRate(bytesPerSecond)
}

function oldText(ageMs: number | null): string {
  return ageMs === null ? 'not heard yet' : `heard ${shortAge(ageMs)}`
}

function facts(...all: readonly (readonly [string, string | null])[]): Fact[] {
  return all.flatMap(([name, value]) => (value === null ? [] : [{ name, value }]))
}
