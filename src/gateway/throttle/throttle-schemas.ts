import { z } from 'zod'
import type { ThrottleLimit } from '../../progress/throttle-limit.ts'
import { RATE_BYTES_MAX, RATE_BYTES_MIN } from '../../progress/throttle-orders.ts'
import { LIMITERS, type ThrottleStatus } from '../../status/status.ts'
import { streamInput } from '../stream-choice.ts'

/* What the operations on the throttle take and answer. */

const DAY_SECONDS = 86_400
export const FOR_SECONDS_MAX = 366 * DAY_SECONDS

const forSeconds = z
  .int()
  .min(1)
  .max(FOR_SECONDS_MAX)
  .optional()
  .describe('How long it holds, also over a restart; default: until it is taken back')

export const setInput = z.strictObject({
  stream: streamInput,
  bytesPerSecond: z
    .int()
    .min(RATE_BYTES_MIN)
    .max(RATE_BYTES_MAX)
    .describe('Of what goes into the tunnel, compressed; all copies together'),
  forSeconds,
})
export const pauseInput = z.strictObject({ stream: streamInput, forSeconds })
export const streamOnlyInput = z.strictObject({ stream: streamInput })

const by = z.enum(LIMITERS)
const limit = z.object({
  bytesPerSecond: z.number().describe('0: paused'),
  by,
  reason: z.string(),
  sinceMs: z.number().nullable(),
  untilMs: z.number().nullable(),
}) satisfies z.ZodType<ThrottleLimit>

const status = z.object({
  bytesPerSecond: z.number().nullable().describe('The limit that holds; null: none; 0: paused'),
  by: by.nullable(),
  reason: z.string().nullable(),
  sinceMs: z.number().nullable(),
  untilMs: z.number().nullable(),
  measuredBytesPerSecond: z.number().describe('In the last ten seconds'),
  waitingBytes: z.number().describe('Held back by the throttle now'),
}) satisfies z.ZodType<ThrottleStatus>

export const throttleOutput = z.object({
  stream: z.string(),
  isOrigin: z.boolean().describe('False: as the origin last told it'),
  throttle: status,
  limits: z.array(limit).readonly().describe('All that hold it, the lowest first'),
  notStored: z
    .string()
    .nullable()
    .describe('Why what was asked holds, but may not survive a restart; null: it does'),
})

export type ThrottleAnswer = z.output<typeof throttleOutput>
