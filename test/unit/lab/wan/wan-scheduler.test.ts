import { describe, expect, test } from 'vitest'
import { WanScheduler } from '../../../../src/lab/wan/wan-scheduler.ts'
import { clearWan, type WanSettings } from '../../../../src/lab/wan/wan-settings.ts'

/** A small seeded generator, so that chance is the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function scheduler(settings: Partial<WanSettings>, random = seeded(1)) {
  return new WanScheduler<number>({ settings: { ...clearWan, ...settings }, random })
}

describe('WanScheduler', () => {
  test('forwards at once when nothing is impaired', () => {
    const wan = scheduler({})
    expect(wan.offer('a-to-b', 1, 1400, 0)).toBe('now')
    expect(wan.nextAtMs()).toBeNull()
    expect(wan.counters('a-to-b')).toEqual({ forwarded: 1, forwardedBytes: 1400, dropped: 0 })
  })

  test('holds a packet for the delay, each direction by itself', () => {
    const wan = scheduler({ delayMs: 40 })
    expect(wan.offer('a-to-b', 1, 100, 10)).toBe('queued')
    expect(wan.offer('b-to-a', 2, 100, 20)).toBe('queued')
    expect(wan.nextAtMs()).toBe(50)
    expect(wan.take('a-to-b', 49.9)).toEqual([])
    expect(wan.take('a-to-b', 50)).toEqual([1])
    expect(wan.nextAtMs()).toBe(60)
    expect(wan.take('b-to-a', 60)).toEqual([2])
  })

  test('keeps the order under jitter', () => {
    const wan = scheduler({ delayMs: 40, jitterMs: 30 })
    for (let id = 0; id < 200; id += 1) wan.offer('a-to-b', id, 100, id)
    const taken = wan.take('a-to-b', 1_000)
    expect(taken).toEqual([...taken].sort((a, b) => a - b))
    expect(taken).toHaveLength(200)
  })

  test('lets reordered packets overtake the delayed ones', () => {
    const wan = scheduler({ delayMs: 40, reorderPercent: 20 })
    const arrived: number[] = []
    for (let id = 0; id < 200; id += 1) {
      if (wan.offer('a-to-b', id, 100, id) === 'now') arrived.push(id)
      arrived.push(...wan.take('a-to-b', id))
    }
    arrived.push(...wan.take('a-to-b', 1_000))
    expect(arrived).toHaveLength(200)
    expect(arrived).not.toEqual([...arrived].sort((a, b) => a - b))
  })

  test('spaces packets by the rate and drops what does not fit the queue', () => {
    // 8 Mbit/s is 1000 bytes a millisecond.
    const wan = scheduler({ rateBps: 8_000_000, queueBytesMax: 3_000 })
    const verdicts = [0, 1, 2, 3, 4].map((id) => wan.offer('a-to-b', id, 1_000, 0))
    expect(verdicts).toEqual(['queued', 'queued', 'queued', 'queue', 'queue'])
    expect(wan.take('a-to-b', 1)).toEqual([0])
    expect(wan.take('a-to-b', 3)).toEqual([1, 2])
    expect(wan.offer('a-to-b', 5, 1_000, 3)).toBe('queued')
    expect(wan.counters('a-to-b').dropped).toBe(2)
  })

  test('loses about the share it is told to', () => {
    const wan = scheduler({ lossPercent: 10 })
    let lost = 0
    for (let id = 0; id < 10_000; id += 1) {
      if (wan.offer('a-to-b', id, 100, id) === 'loss') lost += 1
    }
    expect(lost).toBeGreaterThan(900)
    expect(lost).toBeLessThan(1_100)
  })

  test('drops by size, by black hole in one direction, and all when cut', () => {
    const wan = scheduler({ dropAboveBytes: 1_200, blackhole: 'a-to-b' })
    expect(wan.offer('a-to-b', 1, 100, 0)).toBe('blackhole')
    expect(wan.offer('b-to-a', 2, 1_201, 0)).toBe('size')
    expect(wan.offer('b-to-a', 3, 1_200, 0)).toBe('now')
    wan.update({ cut: true })
    expect(wan.offer('b-to-a', 4, 100, 0)).toBe('cut')
    wan.update({ cut: false, blackhole: null })
    expect(wan.offer('a-to-b', 5, 100, 0)).toBe('now')
  })

  test('a cut loses what is on its way', () => {
    const wan = scheduler({ delayMs: 40 })
    wan.offer('a-to-b', 1, 100, 0)
    wan.update({ cut: true })
    expect(wan.nextAtMs()).toBeNull()
    expect(wan.take('a-to-b', 100)).toEqual([])
    expect(wan.counters('a-to-b').dropped).toBe(1)
  })

  test('a cleared delay does not let later packets overtake earlier ones', () => {
    const wan = scheduler({ delayMs: 40 })
    wan.offer('a-to-b', 1, 100, 0)
    wan.update({ delayMs: 0 })
    expect(wan.offer('a-to-b', 2, 100, 10)).toBe('queued')
    expect(wan.take('a-to-b', 40)).toEqual([1, 2])
    expect(wan.offer('a-to-b', 3, 100, 41)).toBe('now')
  })

  test('bounds what is on its way without a rate', () => {
    const wan = scheduler({ delayMs: 10_000 })
    let queued = 0
    while (wan.offer('a-to-b', queued, 65_000, 0) === 'queued') queued += 1
    expect(queued).toBe(Math.floor((64 * 1024 * 1024) / 65_000))
  })
})
