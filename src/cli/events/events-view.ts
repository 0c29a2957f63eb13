import type { Event } from '../../api/events-operation.ts'
import { hanging } from '../../base/plain-text.ts'
import type { Paint } from '../terminal/paint.ts'

const SEVERITY_COLUMNS = 7
const KIND_COLUMNS = 9

/** One line each: when, how bad, what it is about, who, what. */
export function renderEvents(events: readonly Event[], paint: Paint): string {
  const who = Math.max(0, ...events.map((event) => event.who.length))
  return events.map((event) => renderEvent(event, who, paint)).join('')
}

function renderEvent(
  { atMs, severity, kind, who, what }: Event,
  whoColumns: number,
  paint: Paint,
): string {
  const time = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')
  const colour = { info: paint.good, warning: paint.warn, error: paint.bad, blocked: paint.bad }
  const head = [
    paint.dim(`${time}Z`),
    colour[severity](severity.padEnd(SEVERITY_COLUMNS)),
    kind.padEnd(KIND_COLUMNS),
    who.padEnd(whoColumns),
  ]
  return `${head.join('  ')}  ${hanging(what, 4)}\n`
}
