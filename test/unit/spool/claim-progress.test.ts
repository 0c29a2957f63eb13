import { describe, expect, test } from 'vitest'
import { ClaimProgress } from '../../../src/spool/claim-progress.ts'

const WEEK = 7

/** Days on which a reader makes progress that comes to `reached(day)`; a file a day is added. */
function days(reached: (day: number) => number, count = 60): number[] {
  const progress = new ClaimProgress(WEEK)
  const list: number[] = []
  for (let day = 0; day < count; day += 1) {
    const newest = 100 + day
    if (progress.note('replica:1', { reached: Math.min(newest, reached(day)), newest }, day))
      list.push(day)
  }
  return list
}

describe('progress is', () => {
  test('to be at the end, or to follow it at a distance', () => {
    expect(days((day) => 100 + day)).toHaveLength(60)
    expect(days((day) => 100 + day - 5)).toHaveLength(60)
  })

  test('to come nearer, from however far away', () => {
    expect(days((day) => 10 + day * 3)).toHaveLength(60)
  })

  test('not to stand still, at the end of before or anywhere', () => {
    expect(days(() => 10)).toEqual([0])
    // On the first day it was at the end, and on the next at what that was.
    expect(days(() => 100)).toEqual([0, 1])
  })

  test('not to fall behind for ever', () => {
    // Half as fast as the log grows: what it has to come to is further away each time.
    const list = days((day) => 100 + day / 2)
    expect(list.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, day) => day))
    const gaps = list.map((day, at) => day - (list[at - 1] ?? 0))
    expect(Math.max(...gaps)).toBeGreaterThan(WEEK)
  })

  test('to begin anew from an older backup', () => {
    const progress = new ClaimProgress(WEEK)
    expect(progress.note('replica:1', { reached: 90, newest: 100 }, 0)).toBe(true)
    expect(progress.note('replica:1', { reached: 90, newest: 100 }, 1)).toBe(false)
    // It is sent again what it had got and not applied: nothing new.
    expect(progress.note('replica:1', { reached: 95, newest: 101 }, 2)).toBe(true)
    expect(progress.note('replica:1', { reached: 91, newest: 101 }, 3)).toBe(false)
    const days = Array.from({ length: 40 }, (_, day) => ({ reached: 10 + day, newest: 101 }))
    expect(days.every((place, day) => progress.note('replica:1', place, 4 + day / 10))).toBe(true)
  })

  test('to come back as a new one after it was forgotten', () => {
    const progress = new ClaimProgress(WEEK)
    const place = { reached: 1, newest: 5 }
    expect(progress.note('replica:1', place, 0)).toBe(true)
    expect(progress.note('replica:1', place, 1)).toBe(false)
    progress.forget('replica:1')
    expect(progress.note('replica:1', place, 2)).toBe(true)
  })
})
