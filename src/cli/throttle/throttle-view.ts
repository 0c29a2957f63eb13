import { hanging } from '../../base/plain-text.ts'
import { bytesText, durationText } from '../../base/quantity-text.ts'
import type { ThrottleAnswer } from '../../gateway/throttle/throttle-schemas.ts'

type Limit = ThrottleAnswer['limits'][number]

const LABEL_COLUMNS = 12

/** What holds a stream back, for people. `nowMs`: to say how long it still does. */
export function formatThrottle(answer: ThrottleAnswer, nowMs: number): string {
  const { stream, isOrigin, throttle, limits, notStored } = answer
  const rows = [
    ['limit', heldText(throttle)],
    ...(throttle.by === null ? [] : [['by', byText(throttle, nowMs)]]),
    ['measured', `${bytesText(Math.round(throttle.measuredBytesPerSecond))} per second`],
    ['waiting', bytesText(throttle.waitingBytes)],
    ...limits.slice(1).map((limit) => ['besides', `${rateText(limit)}, ${byText(limit, nowMs)}`]),
    ...(isOrigin ? [] : [['told by', 'the origin: this site has a copy']]),
    ...(notStored === null ? [] : [['not stored', `until the next restart only: ${notStored}`]]),
  ]
  const lines = rows.map(([label = '', text = '']) => {
    return `  ${label.padEnd(LABEL_COLUMNS)}${hanging(text, LABEL_COLUMNS + 2)}`
  })
  return `${[`stream: ${stream}`, ...lines].join('\n')}\n`
}

function heldText({ bytesPerSecond }: ThrottleAnswer['throttle']): string {
  return bytesPerSecond === null ? 'none' : rateText({ bytesPerSecond })
}

function rateText({ bytesPerSecond }: Pick<Limit, 'bytesPerSecond'>): string {
  return bytesPerSecond === 0 ? 'paused' : `${bytesText(bytesPerSecond)} per second`
}

function byText(
  { by, reason, sinceMs, untilMs }: Limit | ThrottleAnswer['throttle'],
  nowMs: number,
): string {
  const since = sinceMs === null ? '' : `, for ${durationText(Math.max(0, nowMs - sinceMs))}`
  const until = untilMs === null ? '' : `, ${durationText(Math.max(0, untilMs - nowMs))} to go`
  return `${by} (${reason})${since}${until}`
}
