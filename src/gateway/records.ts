import { join } from 'node:path'
import { EventLog } from '../api/event-log.ts'
import { Journal } from '../api/journal.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { Webhook } from '../observe/webhook.ts'
import type { GatewayStatus } from '../status/status.ts'
import type { Capability } from './capability.ts'
import type { GatewayConfig } from './config/gateway-config.ts'
import { eventsPart } from './events-part.ts'
import { journalPart } from './journal-part.ts'

export interface RecordsOptions {
  readonly status: () => GatewayStatus
  readonly clock: Clock
  readonly log: Log
}

export interface Records {
  readonly journal: Journal
  readonly parts: readonly Capability[]
}

/** What is written down of what was asked and of what happened, and who is told of it. */
export function createRecords(
  { name, dataDir, alerts }: GatewayConfig,
  { status, clock, log }: RecordsOptions,
): Records {
  const journal = new Journal({ path: join(dataDir, 'journal.jsonl'), clock, log })
  const events = new EventLog({ path: join(dataDir, 'events.jsonl'), clock, log })
  const parts: Capability[] = [
    journalPart(journal),
    eventsPart({ events, journal, name, status, clock }),
  ]
  if (alerts.webhook !== null) {
    const path = join(dataDir, 'alerts.json')
    parts.push(new Webhook({ config: alerts.webhook, path, status, clock, log }))
  }
  return { journal, parts }
}
