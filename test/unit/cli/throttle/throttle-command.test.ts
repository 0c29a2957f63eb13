import { expect, test } from 'vitest'
import { formatThrottle } from '../../../../src/cli/throttle/throttle-view.ts'
import { secondsOf, wishOf } from '../../../../src/cli/throttle/throttle-wish.ts'
import type { ThrottleAnswer } from '../../../../src/gateway/throttle/throttle-schemas.ts'
import { UNTHROTTLED } from '../../../../src/status/status.ts'

test('a rate is in bytes, with or without "/s"; the rest are words', () => {
  expect(wishOf('20MB/s')).toEqual({ bytesPerSecond: 20_000_000 })
  expect(wishOf('512KiB')).toEqual({ bytesPerSecond: 524_288 })
  for (const word of ['show', 'pause', 'resume', 'off']) expect(wishOf(word)).toBe(word)
  for (const bad of ['20Mbit/s', '-1', 'fast', '', '1e3', '9999999TB']) {
    expect(() => wishOf(bad)).toThrow(/such as 20MB\/s/)
  }
  for (const low of ['0', '1000']) expect(() => wishOf(low)).toThrow(/At least 1KiB/)
})

test('a duration has its unit', () => {
  expect([secondsOf('2h'), secondsOf('90s'), secondsOf('1500ms')]).toEqual([7_200, 90, 2])
  for (const bad of ['2', '0s', '367d', 'soon']) expect(() => secondsOf(bad)).toThrow(/unit/)
})

test('says what holds a stream back, why, for how long, and what else would', () => {
  const nowMs = 1_000_000_000
  const pause: ThrottleAnswer['limits'][number] = {
    ...{ bytesPerSecond: 0, by: 'operator', reason: 'paused by an operator' },
    ...{ sinceMs: nowMs - 65_000, untilMs: nowMs + 7_135_000 },
  }
  const configured: ThrottleAnswer['limits'][number] = {
    ...{ bytesPerSecond: 52_428_800, by: 'configuration', reason: 'throttle.bytesPerSecond' },
    ...{ sinceMs: null, untilMs: null },
  }
  const answer: ThrottleAnswer = {
    ...{ stream: 'main', isOrigin: true, limits: [pause, configured], notStored: null },
    throttle: { ...pause, measuredBytesPerSecond: 0, waitingBytes: 3_145_728 },
  }
  expect(formatThrottle(answer, nowMs)).toBe(`stream: main
  limit       paused
  by          operator (paused by an operator), for 1 minute, 5 seconds, 1 hour, 58 minutes to go
  measured    0 B per second
  waiting     3.00 MiB
  besides     50.00 MiB per second, configuration (throttle.bytesPerSecond)
`)
  const other = { ...answer, isOrigin: false, limits: [], throttle: UNTHROTTLED }
  expect(formatThrottle({ ...other, notStored: 'disk full' }, nowMs)).toBe(`stream: main
  limit       none
  measured    0 B per second
  waiting     0 B
  told by     the origin: this site has a copy
  not stored  until the next restart only: disk full
`)
})
