import type { EventLog, LoggedEvent, NewEvent } from '../api/event-log.ts'
import { eventsOperation } from '../api/events-operation.ts'
import type { Journal } from '../api/journal.ts'
import type { Clock } from '../base/clock.ts'
import type { Task } from '../base/tasks.ts'
import { packageVersion } from '../base/version.ts'
import { type Change, ConditionWatch } from '../status/condition-watch.ts'
import type { GatewayStatus } from '../status/status.ts'
import type { Condition } from '../status/status-events.ts'
import type { Capability } from './capability.ts'

export interface EventsPartOptions {
  readonly events: EventLog
  readonly journal: Journal
  readonly name: string
  readonly status: () => GatewayStatus
  readonly clock: Clock
}

const LOOK_EVERY_MS = 2_000
const GATEWAY = 'gateway'
const KINDS = ['problem', 'objective', 'role', 'link'] as const

/** Looks at the status now and then, and writes down what changed. */
export function eventsPart(options: EventsPartOptions): Capability {
  const { events, journal } = options
  return {
    ground: [eventsTask(options)],
    operations: [eventsOperation(events, journal)],
    problems: () => events.problems(),
  }
}

function eventsTask({ events, name, status, clock }: EventsPartOptions): Task {
  return {
    async run(signal) {
      await events.open()
      const before = events.list()
      await events.add([started(name, before)])
      const watch = new ConditionWatch({ known: toldBefore(before) })
      while (!signal.aborted) {
        await clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined)
        if (signal.aborted) break
        const changes = watch.look(status(), clock.monotonicMs())
        await events.add(changes.map((change) => eventOf(change, name)))
      }
      await events.add([stopped(name)])
      await events.close()
    },
  }
}

function eventOf(change: Change, who: string): NewEvent {
  const { kind, what, severity, detail, key, state, untold } = change
  const often = untold > 0 ? ` (and ${untold} changes before that)` : ''
  return { kind, who, what: `${what}${often}`, severity, detail, key, state }
}

/** One that was killed has no line that says how it ended. */
function started(who: string, before: readonly LoggedEvent[]): NewEvent {
  const last = before.findLast(({ kind }) => kind === GATEWAY)
  const isFirst = before.length === 0
  const isClean = isFirst || last?.state === 'stopped'
  const how = isClean ? '' : '; the one before was not stopped: it crashed or was killed'
  return {
    kind: GATEWAY,
    who,
    what: `the gateway started, landbridge ${packageVersion()}${how}`,
    severity: isClean ? 'info' : 'warning',
    detail: { version: packageVersion(), pid: process.pid, clean: isClean },
    key: GATEWAY,
    state: 'started',
  }
}

function stopped(who: string): NewEvent {
  const common = { kind: GATEWAY, key: GATEWAY, severity: 'info' } as const
  return { ...common, who, what: 'the gateway stopped', detail: {}, state: 'stopped' }
}

/** Of each thing the newest event. */
function toldBefore(events: readonly LoggedEvent[]): Map<string, Condition> {
  const told = new Map<string, Condition>()
  for (const { key, state, kind: of, what, severity, detail } of events) {
    const kind = KINDS.find((one) => one === of)
    if (key === undefined || state === undefined || kind === undefined) continue
    told.set(key, { key, kind, state, what, severity, detail })
  }
  return told
}
