import { describe, expect, test } from 'vitest'
import { QueueDelay } from '../../../src/progress/queue-delay.ts'
import { YIELD_LOOK_MS, YieldRate } from '../../../src/progress/yield-rate.ts'

const MB = 1_000_000

/** The peer's clock is some hours off. */
const AHEAD_MS = 10_000_000

function probe(delay: QueueDelay, atMs: number, forwardMs: number, backMs: number, stepMs = 0) {
  const answeredMs = atMs + forwardMs + AHEAD_MS + stepMs
  delay.answered({ sentMs: atMs, answeredMs, receivedMs: atMs + forwardMs + backMs })
}

describe('the delay of a queue', () => {
  test('is what the way there takes longer than at its best, whatever the clocks say', () => {
    const delay = new QueueDelay()
    expect([delay.queueMs, delay.idleRoundTripMs, delay.heardMs]).toEqual([null, null, null])
    probe(delay, 0, 20, 20)
    expect([delay.queueMs, delay.idleRoundTripMs, delay.heardMs]).toEqual([0, 40, 40])
    for (const atMs of [100, 200, 300]) probe(delay, atMs, 35, 20)
    expect(delay.queueMs).toBe(15)
  })

  test('is not what waits on the way back, nor one busy moment', () => {
    const delay = new QueueDelay()
    probe(delay, 0, 20, 20)
    for (const atMs of [100, 200, 300]) probe(delay, atMs, 20, 200)
    expect(delay.queueMs).toBe(0)
    probe(delay, 400, 90, 20)
    expect(delay.queueMs).toBe(0)
  })

  test('is not made by a clock that is stepped', () => {
    const delay = new QueueDelay()
    probe(delay, 0, 20, 20)
    for (const atMs of [100, 200, 300]) probe(delay, atMs, 20, 20, 5_000)
    expect(delay.queueMs).toBe(0)
    for (const atMs of [400, 500, 600]) probe(delay, atMs, 20, 20, -5_000)
    expect(delay.queueMs).toBe(0)
    for (const atMs of [700, 800, 900]) probe(delay, atMs, 50, 20, -5_000)
    expect(delay.queueMs).toBe(30)
  })

  test('is at least what a probe without an answer has waited', () => {
    const delay = new QueueDelay()
    probe(delay, 0, 20, 20)
    delay.unanswered(100, 135)
    expect(delay.queueMs).toBe(0)
    delay.unanswered(100, 340)
    expect(delay.queueMs).toBe(200)
    probe(delay, 350, 20, 20)
    expect(delay.queueMs).toBe(0)
  })

  test('is of the path of now: a longer route counts as one after ten minutes', () => {
    const delay = new QueueDelay()
    probe(delay, 0, 20, 20)
    for (let minute = 1; minute <= 11; minute += 1) probe(delay, minute * 60_000, 50, 50)
    expect([delay.queueMs, delay.idleRoundTripMs]).toEqual([0, 100])
  })
})

describe('a rate that yields', () => {
  const least = 100_000
  const fresh = () => new YieldRate({ targetMs: 10, leastBytesPerSecond: least })

  /** A path that carries so much; returns rate and queue of each look. */
  function onPath(rate: YieldRate, carries: (atMs: number) => number, seconds: number) {
    let queuedBytes = 0
    const seen: { readonly queueMs: number; readonly rate: number }[] = []
    const late: number[] = Array(5).fill(0)
    for (let nowMs = 0; nowMs < seconds * 1000; nowMs += YIELD_LOOK_MS) {
      const inOut = rate.bytesPerSecond - carries(nowMs)
      queuedBytes = Math.max(0, queuedBytes + (inOut * YIELD_LOOK_MS) / 1000)
      const queueMs = (queuedBytes / carries(nowMs)) * 1000
      seen.push({ queueMs, rate: rate.bytesPerSecond })
      // What a look knows is a round trip old.
      late.push(queueMs)
      rate.look({
        ...{ nowMs, queueMs: late.shift() ?? 0, idleRoundTripMs: 80 },
        usedBytesPerSecond: rate.bytesPerSecond,
      })
    }
    return seen
  }

  test('fills the path, and keeps the queue about as long as wanted', () => {
    const seen = onPath(fresh(), () => 5 * MB, 60)
    const steady = seen.slice(400)
    expect(Math.max(...seen.map(({ queueMs }) => queueMs))).toBeLessThan(110)
    const mean = steady.reduce((sum, { rate }) => sum + rate, 0) / steady.length
    expect(mean / (5 * MB)).toBeGreaterThan(0.8)
    const sorted = steady.map(({ queueMs }) => queueMs).sort((a, b) => a - b)
    expect(sorted[Math.floor(sorted.length * 0.99)]).toBeLessThan(40)
  })

  test('gives way when the path carries less, and comes back', () => {
    const carries = (atMs: number) => (atMs >= 20_000 && atMs < 40_000 ? MB : 5 * MB)
    const seen = onPath(fresh(), carries, 60)
    const rateAt = (second: number) => seen[(second * 1000) / YIELD_LOOK_MS]?.rate ?? 0
    expect(rateAt(30)).toBeLessThan(1.5 * MB)
    expect(rateAt(55)).toBeGreaterThan(2 * MB)
  })

  test('is the least that is promised where nothing is known, and never less', () => {
    const rate = fresh()
    const look = { idleRoundTripMs: 80, usedBytesPerSecond: 9 * MB }
    for (let at = 0; at < 100; at += 1) rate.look({ ...look, nowMs: at * 50, queueMs: 0 })
    expect(rate.bytesPerSecond).toBeGreaterThan(MB)
    rate.look({ ...look, nowMs: 5_000, queueMs: null })
    expect(rate.bytesPerSecond).toBe(least)
    for (let at = 0; at < 100; at += 1) rate.look({ ...look, nowMs: at * 900, queueMs: 500 })
    expect(rate.bytesPerSecond).toBe(least)
  })

  test('does not grow far beyond what is used', () => {
    const rate = fresh()
    for (let at = 0; at < 2_000; at += 1) {
      rate.look({ nowMs: at * 50, queueMs: 0, idleRoundTripMs: 80, usedBytesPerSecond: MB })
    }
    expect(rate.bytesPerSecond).toBeLessThanOrEqual(2.1 * MB)
  })
})
