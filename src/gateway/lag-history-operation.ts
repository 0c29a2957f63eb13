import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import { defineOperation, type Operation } from '../base/operation.ts'
import { roundNumbers } from '../base/round-numbers.ts'
import type { LagHistory } from '../progress/lag-history.ts'
import { chooseStream, streamInput } from './stream-choice.ts'

const POINTS_MAX = 2_000
const POINTS = 600

const value = z.number().nullable()

export const historyOutput = z.object({
  schema: z.literal(1),
  stream: z.string(),
  nowMs: z.number().describe('By the clock of this gateway, as all times'),
  stepMs: z.number().describe('How much time a point stands for'),
  points: z
    .array(
      z.object({
        atMs: z.number().describe('Where its time begins'),
        exposureMs: value.describe('What a loss of the origin would have cost at most; the worst'),
        receiveLagMs: value.describe('The worst'),
        applyLagMs: value.describe('Of the replica that was furthest behind; the worst'),
        transactionsPerSecond: value,
        bytesPerSecond: value,
        roundTripMs: value,
        throttleBytesPerSecond: value.describe('The limit; 0: paused, null: none'),
        waitingBytes: value.describe('Held back by the throttle'),
      }),
    )
    .describe('In order; where nothing is known there is none'),
})

export type HistoryAnswer = z.output<typeof historyOutput>

/** `lag.history`: what the lag of a stream was. Fails with ERR_STREAM_UNKNOWN, ERR_LAG_HISTORY. */
export function lagHistoryOperation(
  histories: readonly (readonly [stream: string, history: LagHistory])[],
  clock: Clock,
): Operation {
  return defineOperation({
    name: 'lag.history',
    summary: 'say what exposure and lag of a stream were: a day by seconds, 90 days by minutes',
    permission: 'read',
    input: z.strictObject({
      stream: streamInput,
      fromMs: z.number().nonnegative().describe('Milliseconds since 1970'),
      toMs: z.number().nonnegative().optional().describe('Default: now'),
      points: z.int().min(10).max(POINTS_MAX).default(POINTS).describe('At most so many'),
    }),
    output: historyOutput,
    run: async ({ stream, fromMs, toMs, points: pointsMax }) => {
      const known = histories.map(([name, history]) => ({ name, history }))
      const { name, history } = chooseStream(known, stream)
      const nowMs = clock.wallMs()
      try {
        const span = { fromMs, toMs: Math.min(toMs ?? nowMs, nowMs + 1), pointsMax }
        const { stepMs, points } = await history.read(span)
        return { schema: 1 as const, stream: name, nowMs, stepMs, points: roundNumbers(points) }
      } catch (cause) {
        const message = `what the lag of ${name} was cannot be read`
        throw new LandbridgeError('ERR_LAG_HISTORY', message, {
          cause,
          retryable: true,
          remedy: 'See whether the disk of dataDir can be read: the log says more.',
        })
      }
    },
  })
}
