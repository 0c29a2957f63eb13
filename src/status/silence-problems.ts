import { isUp, linksOfStream } from './links.ts'
import type { GatewayStatus, LinkStatus, Problem, StreamStatus } from './status.ts'

/** A source is asked once a second. */
const UNHEARD_MS_MAX = 15_000
/** A spool is opened and cut back within moments. */
const UNASKED_MS_MAX = 20_000
/** A source that looks for where to begin in a large file may send nothing for some seconds. */
const STALLED_MS_MAX = 20_000

/**
 * What is wrong with a stream when nobody says that anything is: nothing is heard of its source, or
 * nothing comes although the source is known to have more. Found by looking at what flows, so that
 * a state which nobody thought of is not taken for health.
 */
export function silenceProblems({
  streams,
  links,
  problems,
  nowMs,
}: Pick<GatewayStatus, 'streams' | 'links' | 'problems' | 'nowMs'>): Problem[] {
  return streams.flatMap((stream) => {
    const own = linksOfStream(links, stream)
    const peers = own.map(({ peer }) => peer)
    if (problems.some((problem) => explains(problem, stream.name, peers))) return []
    // Before the link was up nothing could come.
    const upMs = Math.max(0, ...own.map((link) => upFor(link, nowMs)))
    const unasked = unaskedCopies(stream, own, nowMs)
    // Nobody watches a source for which nobody asks.
    if (unasked.length > 0 && unasked.length === stream.copies.length) return unasked
    const found = [...unheard(stream, upMs, nowMs), ...stalled(stream, upMs, nowMs)]
    return [...unasked, ...found.slice(0, 1)]
  })
}

/** Copies that are connected, and have not asked for the stream. */
function unaskedCopies(
  stream: StreamStatus,
  links: readonly LinkStatus[],
  nowMs: number,
): Problem[] {
  return stream.copies.flatMap(({ peer, state }) => {
    const link = links.find((one) => one.peer === peer)
    const upMs = link === undefined ? 0 : upFor(link, nowMs)
    if (state !== 'idle' || upMs < UNASKED_MS_MAX) return []
    return [
      {
        code: 'ERR_STREAM_UNASKED',
        severity: 'error',
        where: `source:${stream.name}`,
        message: `${peer} is connected, and has not asked for the stream for ${seconds(upMs)} s`,
        remedy: `See landbridge status at ${peer}: its spool or its term may be the reason.`,
        sinceMs: Math.round(nowMs - upMs),
      },
    ]
  })
}

/** Something that is told already, of the path or of this stream, is the reason. */
function explains({ severity, where }: Problem, stream: string, peers: readonly string[]): boolean {
  if (severity === 'warning') return false
  const [station = '', peer] = where.split(':')
  // Of several peers, those over which this stream goes.
  if (['tunnel', 'link'].includes(station)) return peer === undefined || peers.includes(peer)
  if (where === `stream:${stream}`) return severity === 'blocked'
  return [`source:${stream}`, `spool:${stream}`].includes(where)
}

function upFor(link: LinkStatus, nowMs: number): number {
  return isUp(link) && link.sinceMs !== null ? nowMs - link.sinceMs : 0
}

function unheard(stream: StreamStatus, upMs: number, nowMs: number): Problem[] {
  const silentMs = Math.min(upMs, stream.source.heardAgoMs ?? Number.POSITIVE_INFINITY)
  if (silentMs < UNHEARD_MS_MAX) return []
  return [
    {
      code: 'ERR_SOURCE_UNHEARD',
      severity: 'error',
      where: `source:${stream.name}`,
      message:
        `nothing is known of the source's newest commit for ${seconds(silentMs)} s: ` +
        'what would be lost is not known either',
      remedy:
        'See at the gateway of the origin whether its login may open one more connection to the ' +
        'source (MAX_USER_CONNECTIONS, max_connections) and ask it where it is: landbridge check.',
      sinceMs: Math.round(nowMs - silentMs),
    },
  ]
}

function stalled(stream: StreamStatus, upMs: number, nowMs: number): Problem[] {
  const { receiveLag, receivedAgoMs, pausedAgoMs } = stream
  if (receiveLag === null || receiveLag.ms === null) return []
  // A pause is told as what it is; after it the first bytes take their time.
  const stalledMs = Math.min(
    ...[upMs, receiveLag.ms],
    ...[receivedAgoMs, pausedAgoMs].map((ms) => ms ?? Number.POSITIVE_INFINITY),
  )
  if (stalledMs < STALLED_MS_MAX) return []
  return [
    {
      code: 'ERR_STREAM_STALLED',
      severity: 'error',
      where: `source:${stream.name}`,
      message: `the source has more, and nothing of it has come for ${seconds(stalledMs)} s`,
      remedy:
        'Look at the logs of both gateways; a restart of the sending one is safe at any ' +
        'time, since it keeps no state.',
      sinceMs: Math.round(nowMs - stalledMs),
    },
  ]
}

const seconds = (ms: number): number => Math.round(ms / 1000)
