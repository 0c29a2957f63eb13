import { describe, expect, test } from 'vitest'
import { MarkRing } from '../../../src/progress/mark-ring.ts'

interface Mark {
  readonly ms: number
  readonly place: number
}

const merge = (older: Mark, newer: Mark): Mark => ({ ...newer, ms: older.ms })

describe('mark ring', () => {
  test('keeps single marks while there is room', () => {
    const ring = new MarkRing<Mark>({ limit: 4, merge })
    for (let ms = 0; ms < 4; ms += 1) ring.push({ ms, place: ms })
    expect(ring.oldest).toEqual({ ms: 0, place: 0 })
    ring.dropOldest()
    expect(ring.oldest).toEqual({ ms: 1, place: 1 })
    expect([ring.length, ring.newest?.ms]).toEqual([3, 3])
    ring.clear()
    expect(ring.newest).toBeUndefined()
  })

  test('stays bounded and covers everything evenly, each mark as old as its oldest part', () => {
    const ring = new MarkRing<Mark>({ limit: 16, merge })
    for (let ms = 0; ms < 1000; ms += 1) {
      ring.push({ ms, place: ms })
      expect(ring.length).toBeLessThanOrEqual(16)
      expect(ring.newest?.place).toBe(ms)
    }
    let next = 0
    for (let oldest = ring.oldest; oldest !== undefined; oldest = ring.oldest) {
      expect(oldest.ms).toBe(next)
      expect(oldest.place - oldest.ms).toBeLessThan(1000 / 4)
      next = oldest.place + 1
      ring.dropOldest()
    }
    expect(next).toBe(1000)
  })

  test('stays bounded in bytes where marks are large, and keeps four at least', () => {
    const bytesOf = () => 1_000
    const ring = new MarkRing<Mark>({ limit: 512, bytesOf, bytesMax: 20_000, merge })
    for (let ms = 0; ms < 1_000; ms += 1) {
      ring.push({ ms, place: ms })
      expect(ring.length).toBeLessThanOrEqual(20)
    }
    expect([ring.oldest?.ms, ring.newest?.place]).toEqual([0, 999])
    const huge = new MarkRing<Mark>({ limit: 512, bytesOf, bytesMax: 1, merge })
    for (let ms = 0; ms < 100; ms += 1) huge.push({ ms, place: ms })
    expect([huge.oldest?.ms, huge.newest?.place, huge.length <= 4]).toEqual([0, 99, true])
  })

  test('is exact again once it was empty', () => {
    const ring = new MarkRing<Mark>({ limit: 4, merge })
    for (let ms = 0; ms < 100; ms += 1) ring.push({ ms, place: ms })
    while (ring.length > 0) ring.dropOldest()
    ring.push({ ms: 1, place: 1 })
    ring.push({ ms: 2, place: 2 })
    expect(ring.length).toBe(2)
  })
})
