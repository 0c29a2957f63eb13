import { z } from 'zod'
import { defineOperation, type Operation } from '../base/operation.ts'
import { healthOf } from '../status/health.ts'
import { type GatewayStatus, STATUS_SCHEMA } from '../status/status.ts'
import { statusJsonSchema } from '../status/status-schema.ts'
import type { Journal } from './journal.ts'
import { journalEntry } from './journal-entry.ts'

const LINES_MAX = 1_000

/**
 * Described whole, checked by its number alone: a figure that is not as it should be must not hide
 * all others from a person on call.
 */
function describedStatus() {
  return z.looseObject({ schema: z.literal(STATUS_SCHEMA) }).meta(statusJsonSchema())
}

/** What every gateway can be asked, whatever it is configured to do. */
export function ownOperations(status: () => GatewayStatus): Operation[] {
  return [
    defineOperation({
      name: 'status',
      summary: 'say all that the gateway knows of itself',
      permission: 'read',
      input: z.strictObject({}),
      output: describedStatus(),
      run: () => ({ ...status() }),
    }),
    defineOperation({
      name: 'health',
      summary: 'say whether data flows, and why not',
      permission: 'read',
      input: z.strictObject({}),
      output: z.strictObject({
        healthy: z.boolean(),
        state: z.enum(['ok', 'degraded', 'blocked']),
        reasons: z.array(z.string()),
      }),
      run: () => {
        const { healthy, state, reasons } = healthOf(status())
        return { healthy, state, reasons: [...reasons] }
      },
    }),
  ]
}

export function journalOperation(journal: Journal): Operation {
  return defineOperation({
    name: 'journal',
    summary: 'show what was asked of the gateway that changes something',
    permission: 'read',
    input: z.strictObject({
      lines: z.int().min(1).max(LINES_MAX).default(100).describe('How many of the newest lines'),
    }),
    output: z.strictObject({ entries: z.array(journalEntry) }),
    run: ({ lines }) => ({ entries: [...journal.entries(lines)] }),
  })
}
