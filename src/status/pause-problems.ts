import type { GatewayStatus, Problem } from './status.ts'

/** A brake that holds for a moment is what it is for. */
const PAUSED_MS_MIN = 10_000

/** Streams that are paused on purpose: no fault, but what is committed meanwhile is exposed. */
export function pauseProblems({
  streams,
  nowMs,
}: Pick<GatewayStatus, 'streams' | 'nowMs'>): Problem[] {
  return streams.flatMap(({ name, throttle, role }) => {
    const { bytesPerSecond, by, reason, sinceMs } = throttle
    if (bytesPerSecond !== 0) return []
    const since = sinceMs ?? nowMs
    if (by !== 'operator' && nowMs - since < PAUSED_MS_MIN) return []
    const at = role === 'origin' ? '' : ', with --peer if this is a copy'
    return [
      {
        code: 'ERR_STREAM_PAUSED',
        severity: 'warning',
        where: `stream:${name}`,
        message: `${name} is paused (${reason ?? by}): what is committed meanwhile is exposed`,
        remedy:
          by === 'operator'
            ? `To go on: \`landbridge throttle resume\` at the origin${at}.`
            : `\`landbridge throttle\` says what holds it.`,
        sinceMs: since,
      },
    ]
  })
}
