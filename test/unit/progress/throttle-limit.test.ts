import { describe, expect, test } from 'vitest'
import { Brake } from '../../../src/progress/brake.ts'
import {
  lowestLimit,
  type ThrottleLimit,
  throttleStatus,
} from '../../../src/progress/throttle-limit.ts'
import { limitsOfOrders, NO_ORDERS, standingOrders } from '../../../src/progress/throttle-orders.ts'
import { ThrottleSchedule } from '../../../src/progress/throttle-schedule.ts'

const at = (text: string): number => Date.parse(text)

describe('the limit that holds', () => {
  const limit = (by: ThrottleLimit['by'], bytesPerSecond: number): ThrottleLimit => {
    return { by, bytesPerSecond, reason: by, sinceMs: 1, untilMs: null }
  }

  test('is the lowest; of equal ones an operator is named first', () => {
    const all = [limit('configuration', 9), limit('schedule', 5), limit('yielding', 7)]
    expect(lowestLimit(all)?.by).toBe('schedule')
    expect(lowestLimit([...all, limit('brake', 0), limit('operator', 0)])?.by).toBe('operator')
    expect(lowestLimit([])).toBeNull()
  })

  test('is shown with what was measured', () => {
    const measured = { measuredBytesPerSecond: 4, waitingBytes: 3 }
    expect(throttleStatus(limit('schedule', 5), measured)).toEqual({
      ...{ bytesPerSecond: 5, by: 'schedule', reason: 'schedule', sinceMs: 1, untilMs: null },
      ...measured,
    })
    expect(throttleStatus(null, measured)).toMatchObject({ bytesPerSecond: null, by: null })
  })
})

describe('orders of operators', () => {
  const pause = { by: 'peer azure', atMs: 100, untilMs: 200 }
  const rate = { by: 'socket', atMs: 50, untilMs: null, bytesPerSecond: 5_000 }

  test('stand until their end; a rate holds again after a pause', () => {
    const orders = { rate, pause }
    expect(limitsOfOrders(orders, 199).map(({ reason }) => reason)).toEqual([
      'paused by peer azure',
      'set by an operator',
    ])
    expect(limitsOfOrders(orders, 199)[0]).toMatchObject({ bytesPerSecond: 0, untilMs: 200 })
    expect(limitsOfOrders(orders, 200)).toMatchObject([{ bytesPerSecond: 5_000, sinceMs: 50 }])
    expect(standingOrders(orders, 200)).toEqual({ rate, pause: null })
    expect(limitsOfOrders(NO_ORDERS, 0)).toEqual([])
  })
})

describe('schedule', () => {
  const office = {
    ...{ cron: '0 9 * * 1-5', timeZone: 'America/New_York' },
    ...{ forMs: 8 * 3_600_000, bytesPerSecond: 5_000_000 },
  }

  test('holds by the wall clock of its time zone, summer and winter', () => {
    const schedule = new ThrottleSchedule([office])
    const holds = (text: string): boolean => schedule.limitsAt(at(text)).length > 0
    // A Friday in winter: UTC-5; a Monday in summer: UTC-4.
    expect(holds('2026-11-27T13:59:59Z')).toBe(false)
    expect(holds('2026-11-27T14:00:00Z')).toBe(true)
    expect(holds('2026-11-27T21:59:59Z')).toBe(true)
    expect(holds('2026-11-27T22:00:00Z')).toBe(false)
    expect(holds('2026-07-06T13:00:00Z')).toBe(true)
    expect(holds('2026-07-06T21:00:00Z')).toBe(false)
    expect(holds('2026-11-28T15:00:00Z')).toBe(false)
  })

  test('says since when and until when, over windows that overlap', () => {
    const [limit] = new ThrottleSchedule([office]).limitsAt(at('2026-11-27T15:00:00Z'))
    expect(limit).toEqual({
      ...{ by: 'schedule', bytesPerSecond: 5_000_000 },
      reason: 'schedule 0 9 * * 1-5 (America/New_York)',
      sinceMs: at('2026-11-27T14:00:00Z'),
      untilMs: at('2026-11-27T22:00:00Z'),
    })
    const often = { cron: '*/30 * * * *', timeZone: 'UTC', forMs: 3_600_000, bytesPerSecond: 0 }
    const [always] = new ThrottleSchedule([often]).limitsAt(at('2026-11-27T15:10:00Z'))
    expect(always).toMatchObject({
      bytesPerSecond: 0,
      sinceMs: at('2026-11-27T14:30:00Z'),
      untilMs: at('2026-11-27T16:00:00Z'),
    })
  })
})

describe('brake', () => {
  const brake = () => new Brake({ name: 'brake here', silentMs: 300_000, nowMs: 1_000 })

  test('holds while it says so, since when it began', () => {
    const one = brake()
    one.answered({ brakes: false, text: '200' }, 1_100)
    expect(one.limit(1_100)).toBeNull()
    one.answered({ brakes: true, text: '503' }, 1_200)
    one.answered({ brakes: true, text: '500' }, 1_300)
    const held = { bytesPerSecond: 0, by: 'brake', reason: 'brake here says 500', sinceMs: 1_200 }
    expect(one.limit(99_999_999)).toEqual({ ...held, untilMs: null })
    expect(one.silence(1_300)).toBeNull()
    one.answered({ brakes: false, text: '204' }, 1_400)
    expect(one.limit(1_400)).toBeNull()
  })

  test('that is silent holds at first, then lets go, and is told all the time', () => {
    const one = brake()
    one.answered({ brakes: false, text: '200' }, 1_100)
    one.failed(new Error('ECONNREFUSED'), 2_000)
    one.failed(new Error('ECONNREFUSED'), 3_000)
    expect(one.limit(3_000)).toMatchObject({ bytesPerSecond: 0, sinceMs: 2_000, untilMs: 302_000 })
    expect(one.silence(3_000)).toMatchObject({ sinceMs: 2_000, holds: true })
    expect(one.silence(3_000)?.error.message).toContain('ECONNREFUSED')
    expect(one.limit(302_000)).toBeNull()
    expect(one.silence(302_000)).toMatchObject({ holds: false })
    one.answered({ brakes: true, text: '503' }, 302_100)
    expect(one.limit(302_100)).toMatchObject({ sinceMs: 302_100 })
    expect(one.silence(302_100)).toBeNull()
  })

  test('that never answered holds from the start', () => {
    expect(brake().limit(1_000)).toMatchObject({ sinceMs: 1_000, untilMs: 301_000 })
    const free = new Brake({ name: 'b', silentMs: 0, nowMs: 1_000 })
    expect(free.limit(1_000)).toBeNull()
  })
})
