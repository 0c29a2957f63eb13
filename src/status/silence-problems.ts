import type { GatewayStatus, Problem, StreamStatus } from './status.ts'

/** A source is asked once a second. */
const UNHEARD_MS_MAX = 15_000
/** A source that looks for where to begin in a large file may send nothing for some seconds. */
const STALLED_MS_MAX = 20_000

/**
 * What is wrong with a stream when nobody says that anything is: nothing is heard of its source, or
 * nothing comes although the source is known to have more. Found by looking at what flows, so that
 * a state which nobody thought of is not taken for health.
 */
export function silenceProblems({
  streams,
  link,
  problems,
  nowMs,
}: Pick<GatewayStatus, 'streams' | 'link' | 'problems' | 'nowMs'>): Problem[] {
  return streams.flatMap((stream) => {
    if (problems.some((problem) => explains(problem, stream.name))) return []
    // Before the link was up nothing could come.
    const upMs = link.state === 'up' && link.sinceMs !== null ? nowMs - link.sinceMs : 0
    return [...unheard(stream, upMs, nowMs), ...stalled(stream, upMs, nowMs)].slice(0, 1)
  })
}

/** Something that is told already, of the path or of this stream, is the reason. */
function explains({ severity, where }: Problem, stream: string): boolean {
  if (severity === 'warning') return false
  const isTunnel = where === 'tunnel' || where.startsWith('tunnel:')
  return isTunnel || ['link', `source:${stream}`, `spool:${stream}`].includes(where)
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
        'See at the production gateway whether its login may open one more connection to the ' +
        'source (MAX_USER_CONNECTIONS, max_connections) and ask it where it is: landbridge check.',
      sinceMs: Math.round(nowMs - silentMs),
    },
  ]
}

function stalled(stream: StreamStatus, upMs: number, nowMs: number): Problem[] {
  const { receiveLag, receivedAgoMs } = stream
  if (receiveLag === null || receiveLag.ms === null) return []
  const stalledMs = Math.min(upMs, receiveLag.ms, receivedAgoMs ?? Number.POSITIVE_INFINITY)
  if (stalledMs < STALLED_MS_MAX) return []
  return [
    {
      code: 'ERR_STREAM_STALLED',
      severity: 'error',
      where: `source:${stream.name}`,
      message: `the source has more, and nothing of it has come for ${seconds(stalledMs)} s`,
      remedy:
        'Look at the logs of both gateways; a restart of the production gateway is safe at any ' +
        'time, since it keeps no state.',
      sinceMs: Math.round(nowMs - stalledMs),
    },
  ]
}

const seconds = (ms: number): number => Math.round(ms / 1000)
