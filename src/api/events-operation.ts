import { z } from 'zod'
import { defineOperation, type Operation } from '../base/operation.ts'
import { EVENT_SEVERITIES, type EventLog, type LoggedEvent } from './event-log.ts'
import type { Journal } from './journal.ts'
import type { JournalEntry } from './journal-entry.ts'

const EVENTS_MAX = 2_000
const CURSOR = /^(\d{1,15})\.(\d{1,15})$/

export const event = z.strictObject({
  /** The same whenever it is asked: `e` of the gateway's own events, `j` of the journal. */
  id: z.string(),
  atMs: z.number(),
  kind: z
    .string()
    .describe('operation, problem, objective, role, link, gateway; others may be added'),
  who: z.string().describe('Who did it: a caller of an operation, or a gateway by itself'),
  what: z.string(),
  severity: z.enum(EVENT_SEVERITIES),
  detail: z.record(z.string(), z.unknown()),
})

export type Event = z.output<typeof event>

export const eventsOutput = z.object({
  schema: z.literal(1),
  /** Oldest first. */
  events: z.array(event),
  cursor: z.string().describe('As `after`, asks for what comes next'),
})

/** What was done, and what happened: the journal and the gateway's own events, by time. */
export function eventsOperation(events: EventLog, journal: Journal): Operation {
  return defineOperation({
    name: 'events',
    summary: 'show who did what when, and what happened',
    permission: 'read',
    input: z.strictObject({
      sinceMs: z.number().nonnegative().optional().describe('Unix time in milliseconds'),
      lines: z.int().min(1).max(EVENTS_MAX).default(100).describe('How many of the newest'),
      after: z.string().regex(CURSOR).optional().describe('A cursor: only what came since then'),
    }),
    output: eventsOutput,
    run({ sinceMs = 0, lines, after }) {
      const [own, entries] = [events.list(), journal.entries(EVENTS_MAX)]
      const [ownAfter, journalAfter] = (after ?? '0.0').split('.').map(Number)
      const found = [
        ...own.filter(({ sequence }) => sequence > (ownAfter ?? 0)).map(ownEvent),
        ...entries.filter(({ sequence }) => sequence > (journalAfter ?? 0)).flatMap(journalEvent),
      ]
      const since = found.filter(({ atMs }) => atMs >= sinceMs)
      const sorted = since.sort((one, other) => one.atMs - other.atMs)
      const newest = [own, entries].map((list) => list.at(-1)?.sequence ?? 0)
      return { schema: 1 as const, events: sorted.slice(-lines), cursor: newest.join('.') }
    },
  })
}

function ownEvent({ sequence, atMs, kind, who, what, severity, detail }: LoggedEvent): Event {
  return { id: `e${sequence}`, atMs, kind, who, what, severity, detail }
}

/** Steps are in the journal alone. */
function journalEvent(entry: JournalEntry): Event[] {
  const { sequence, atMs, run, operation, caller, phase, detail } = entry
  if (phase === 'step') return []
  const isGood = phase === 'begun' || phase === 'done'
  const message = messageOf(detail)
  const what = run === null ? `journal: ${message}` : `${operation} ${phase}`
  return [
    {
      id: `j${sequence}`,
      atMs,
      kind: run === null ? 'journal' : 'operation',
      who: caller,
      what: isGood || message === '' || run === null ? what : `${what}: ${message}`,
      severity: isGood ? 'info' : 'warning',
      detail: { run, operation, phase, detail },
    },
  ]
}

function messageOf(detail: unknown): string {
  if (typeof detail === 'string') return detail
  if (typeof detail !== 'object' || detail === null || !('message' in detail)) return ''
  return String(detail.message)
}
