import { describe, expect, test } from 'vitest'
import { Percentiles } from '../../../src/progress/percentiles.ts'

describe('percentiles', () => {
  test('are within one percent at every size', () => {
    for (let exponent = -3; exponent < 10; exponent += 0.01) {
      const delayMs = 10 ** exponent
      const percentiles = new Percentiles()
      percentiles.record(delayMs)
      percentiles.record(delayMs * 1e3)
      const slackMs = Math.max(delayMs * 0.01, 0.0005)
      expect(Math.abs(percentiles.p50Ms - delayMs)).toBeLessThanOrEqual(slackMs)
    }
  })

  test('of 1 to 1000 ms are 500 and 990, and the maximum is exact', () => {
    const percentiles = new Percentiles()
    for (let ms = 1; ms <= 1000; ms += 1) percentiles.record(ms)
    expect(percentiles.p50Ms).toBeGreaterThan(495)
    expect(percentiles.p50Ms).toBeLessThan(505)
    expect(percentiles.p99Ms).toBeGreaterThan(980)
    expect(percentiles.p99Ms).toBeLessThan(1000)
    expect(percentiles.maxMs).toBe(1000)
    expect(percentiles.count).toBe(1000)
  })

  test('count a negative delay as 0 and one beyond the range as the largest', () => {
    const percentiles = new Percentiles()
    percentiles.record(-5)
    percentiles.record(Number.NaN)
    expect(percentiles.summary()).toEqual({ p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0, count: 2 })
    percentiles.record(1e15)
    expect(percentiles.maxMs).toBe(1e15)
  })
})
