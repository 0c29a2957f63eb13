import { bytesText, durationText, plural } from '../base/quantity-text.ts'
import { isUp, linksOfStream, mainLinks } from './links.ts'
import type {
  ExposureStatus,
  GatewayStatus,
  LagStatus,
  LinkStatus,
  ReplicaStatus,
  StreamStatus,
  Verdict,
} from './status.ts'
import { tunnelStanding } from './tunnel-standing.ts'

/** A replica is asked every second: what is older than this does not prove the present. */
const PROOF_MS_MAX = 10_000
/** So are samples of the source, and a lost one may say that production just vanished. */
const SAMPLE_MS_MAX = 4_000
const LAG_MS_FINE = 5_000
const PROOF_MS_OLD = 60_000
/** An error of a replica can be half a page; the problem below has all of it. */
const REASON_CHARACTERS_MAX = 60

/** The judgement of a status: what a person on call asks first. */
export function verdictsOf(status: Facts): Verdict[] {
  const verdicts = [tunnelVerdict(status)]
  const several = status.streams.length > 1
  for (const stream of status.streams) {
    const name = several ? stream.name : null
    verdicts.push(
      { ...lagVerdict(stream, status), question: 'lag', stream: name },
      { ...lossVerdict(stream, status), question: 'loss', stream: name },
      { ...failoverVerdict(stream), question: 'failover', stream: name },
    )
  }
  return verdicts
}

type Facts = Omit<GatewayStatus, 'verdicts'>
type Answer = Pick<Verdict, 'mood' | 'answer'>

function tunnelVerdict({ tunnel, links, nowMs }: Facts): Verdict {
  const standing = tunnelStanding(tunnel)
  const main = mainLinks(links)
  const down = main.filter((link) => !isUp(link))
  const isCut = down.length === main.length || down.some(({ carries }) => carries.length > 0)
  const linkMood = down.length === 0 ? standing.mood : isCut ? 'bad' : 'warn'
  const mood = standing.mood === 'bad' ? 'bad' : linkMood
  const texts = main.map((link) => linkText(link, nowMs))
  const answer = [standing.answer, ...texts].join('; ')
  return { question: 'tunnel', stream: null, mood, answer }
}

function linkText({ state, peer, sinceMs, roundTripMs }: LinkStatus, nowMs: number): string {
  if (state === 'up') return `link to ${peer} up, round trip ${durationText(roundTripMs)}`
  const downFor = sinceMs === null ? '' : ` for ${durationText(nowMs - sinceMs)}`
  return `link to ${peer} ${state}${downFor}`
}

/** Of what only a copy knows. */
function askCopies(what: string, { copies }: StreamStatus): Answer {
  const where = copies.length === 1 ? 'the other site' : 'the copies'
  return {
    mood: 'good',
    answer: `${what} ${where}: ask ${copies.map(({ peer }) => peer).join(', ')}`,
  }
}

function lagVerdict(stream: StreamStatus, status: Facts): Answer {
  const { receiveLag: lag, role } = stream
  if (role === 'origin') return askCopies('is measured at', stream)
  if (lag === null || lag.ms === null) {
    return { mood: 'warn', answer: 'unknown: nothing was heard of the source yet' }
  }
  const proof = `last asked ${proofText(lag.provenAgoMs ?? 0, status)}`
  const isStale = !isWatched(stream, status)
  if (lag.ms === 0 && isStale) return { mood: 'warn', answer: `none known, ${proof}` }
  if (lag.ms === 0) return { mood: 'good', answer: `none known${delayText(lag)}` }
  const behind = `${durationText(lag.ms)} behind`
  const left = lag.catchUpMs === null ? '' : `, caught up in about ${durationText(lag.catchUpMs)}`
  const parts = [`${behind}${left}`, `${amountText(lag)} missing`, ...(isStale ? [proof] : [])]
  return { mood: lag.ms <= LAG_MS_FINE && !isStale ? 'good' : 'warn', answer: parts.join('; ') }
}

/** With the link or the source gone, commits may pass unseen from that moment on. */
function isWatched(stream: StreamStatus, { links }: Facts): boolean {
  const { receiveLag, source } = stream
  const isConnected = linksOfStream(links, stream).some(isUp) && source.connected
  return isConnected && receiveLag !== null && isProven(receiveLag, SAMPLE_MS_MAX)
}

function delayText({ windows: { minute } }: LagStatus): string {
  if (minute === null) return ''
  const [p50, p99] = [minute.p50Ms, minute.p99Ms].map(durationText)
  return `; in the last minute commits were synced here within ${p50} (p50), ${p99} (p99)`
}

function lossVerdict(stream: StreamStatus, status: Facts): Answer {
  const { exposure, receiveLag, role } = stream
  if (role === 'origin') return askCopies('is known at', stream)
  if (exposure === null || exposure.atLeast.ms === null) {
    return { mood: 'warn', answer: 'unknown: nothing was heard of the source yet' }
  }
  if (exposure.isIdle) {
    const asked = `asked ${durationText(receiveLag?.provenAgoMs ?? null)} ago`
    return { mood: 'good', answer: `nothing: the source is idle (${asked}), all is synced here` }
  }
  const isFresh = isWatched(stream, status)
  const parts = [atMostText(exposure)]
  if (exposure.atLeast.transactions) parts.push(`${amountText(exposure.atLeast)} for sure`)
  // An old proof also gives the moment: that is what was lost, when the origin does not come back.
  const { provenAgoMs } = receiveLag ?? {}
  if (!isFresh)
    parts.push(`growing since the source was last asked, ${proofText(provenAgoMs ?? 0, status)}`)
  const isSmall = exposure.atMost.ms !== null && exposure.atMost.ms <= LAG_MS_FINE
  return { mood: isFresh && isSmall ? 'good' : 'warn', answer: parts.join('; ') }
}

function atMostText({ atMost: { ms, transactions } }: ExposureStatus): string {
  if (ms === null) return 'not known how much'
  const count = transactions === null ? '' : `, ${plural(transactions, 'transaction')}`
  return `at most the last ${durationText(ms)}${count}`
}

/** Of an old proof also the moment: that is what was lost, when production does not come back. */
function proofText(ageMs: number, { nowMs, startedAtMs }: Facts): string {
  const ago = `${durationText(ageMs)} ago`
  const atMs = nowMs - ageMs
  const isBeforeStart = atMs < startedAtMs
  if (ageMs < PROOF_MS_OLD && !isBeforeStart) return ago
  const time = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')
  return `${ago} (${isBeforeStart ? 'before this start, ' : ''}${time} UTC)`
}

function amountText({ transactions, bytes }: Pick<LagStatus, 'transactions' | 'bytes'>): string {
  if (transactions === null) return bytes === null ? 'an unknown amount' : bytesText(bytes)
  const size = bytes === null ? '' : ` (${bytesText(bytes)})`
  return `${plural(transactions, 'transaction')}${size}`
}

function failoverVerdict(stream: StreamStatus): Answer {
  if (stream.role === 'origin') return askCopies('is decided at', stream)
  if (stream.replicas.length === 0) return { mood: 'bad', answer: 'no: no replica is fed here' }
  const best = [...stream.replicas].sort((a, b) => readiness(a) - readiness(b))[0]
  return best === undefined ? { mood: 'bad', answer: 'no' } : replicaVerdict(best)
}

/** How far a replica is from taking over; the smallest is the best candidate. */
function readiness({ applyError, applyLag, filters, leftOut, unlogged }: ReplicaStatus): number {
  if (applyError !== null || filters?.length || leftOut || unlogged) return Number.POSITIVE_INFINITY
  return applyLag?.transactions ?? Number.MAX_SAFE_INTEGER
}

function replicaVerdict(replica: ReplicaStatus): Answer {
  const { serverId, applyError, applyLag, state, delaySeconds } = replica
  const who = `replica ${serverId}`
  if (applyError !== null) {
    const lacks = applyLag?.transactions ?? null
    const left = !lacks ? '' : ` and lacks ${plural(lacks, 'transaction')}`
    const answer = `no: ${who} does not apply${left}: ${shortened(applyError)}`
    return { mood: 'bad', answer }
  }
  const missing = missingData(replica)
  if (missing !== null) return { mood: 'bad', answer: `no: ${who} ${missing}` }
  if (applyLag === null || applyLag.transactions === null || applyLag.ms === null) {
    return { mood: 'warn', answer: `unknown: ${who} cannot be asked what it has applied` }
  }
  if (!isProven(applyLag)) {
    const since = durationText(applyLag.provenAgoMs)
    return { mood: 'warn', answer: `unknown: ${who} has not answered for ${since}` }
  }
  if (applyLag.transactions === 0) {
    return { mood: 'good', answer: `yes: ${who} has applied all that is held` }
  }
  const left = `${plural(applyLag.transactions, 'transaction')} (${durationText(applyLag.ms)})`
  const connected = state !== 'disconnected'
  if (connected && delaySeconds !== null && delaySeconds > 0) {
    const late = `it applies ${durationText(delaySeconds * 1000)} late on purpose`
    return { mood: 'warn', answer: `once ${who} has applied ${left}; ${late}` }
  }
  const how = connected ? `once ${who} has applied` : `not yet: ${who} is disconnected and lacks`
  return {
    mood: connected && applyLag.ms <= LAG_MS_FINE ? 'good' : 'warn',
    answer: `${how} ${left}`,
  }
}

/** Why it has not all that it has applied. */
function missingData({ filters, leftOut, unlogged }: ReplicaStatus): string | null {
  if (filters?.length) return `leaves out data: ${shortened(filters.join(', '))}`
  if (leftOut) return `left out data while it had ${shortened(leftOut)}`
  return !unlogged ? null : `lacks what the source never wrote to its log: ${shortened(unlogged)}`
}

function isProven(lag: LagStatus, ageMsMax = PROOF_MS_MAX): boolean {
  return lag.provenAgoMs !== null && lag.provenAgoMs <= ageMsMax
}

function shortened(reason: string): string {
  if (reason.length <= REASON_CHARACTERS_MAX) return reason
  return `${reason.slice(0, REASON_CHARACTERS_MAX)}...`
}
