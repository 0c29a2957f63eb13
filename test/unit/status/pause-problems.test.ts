import { expect, test } from 'vitest'
import { pauseProblems } from '../../../src/status/pause-problems.ts'
import { type StreamStatus, type ThrottleStatus, UNTHROTTLED } from '../../../src/status/status.ts'
import { drStatus } from '../../helpers/status/status-fixture.ts'

const { nowMs } = drStatus
const [sound] = drStatus.streams as [StreamStatus]

function problemsOf(change: Partial<ThrottleStatus>) {
  const throttle = { ...UNTHROTTLED, ...change }
  return pauseProblems({ nowMs, streams: [{ ...sound, throttle }] })
}

test('a pause is a warning that says by whom; a rate is none', () => {
  expect(problemsOf({})).toEqual([])
  expect(problemsOf({ bytesPerSecond: 10_000, by: 'operator' })).toEqual([])
  const reason = 'paused by peer azure'
  const pause = { bytesPerSecond: 0, by: 'operator', reason, sinceMs: nowMs - 5 } as const
  expect(problemsOf(pause)).toMatchObject([
    { code: 'ERR_STREAM_PAUSED', severity: 'warning', sinceMs: nowMs - 5, where: 'stream:main' },
  ])
  expect(problemsOf(pause)[0]?.message).toContain(reason)
})

test('a brake may hold for a moment', () => {
  const brake = { bytesPerSecond: 0, by: 'brake', reason: 'brake x says 503' } as const
  expect(problemsOf({ ...brake, sinceMs: nowMs - 9_000 })).toEqual([])
  expect(problemsOf({ ...brake, sinceMs: nowMs - 10_000 })).toHaveLength(1)
})
