import { describe, expect, test } from 'vitest'
import { DumpWatch, type SourcePlace } from '../../../src/source/dump-watch.ts'

const at = (file: number, offset: number): SourcePlace => ({
  file: `binlog.${String(file).padStart(6, '0')}`,
  offset,
})

describe('a dump is asked for anew', () => {
  test.each<[string, SourcePlace, SourcePlace]>([
    ['in its file', at(1, 900), at(1, 899)],
    ['to an older file', at(7, 100), at(1, 900)],
  ])('at once when the source went back %s', (_what, before, after) => {
    const watch = new DumpWatch()
    expect(watch.observe(before, null)).toBe(false)
    expect(watch.observe(before, null)).toBe(false)
    expect(watch.observe(after, null)).toBe(true)
    expect(watch.observe(after, null)).toBe(false)
  })

  test('when it waits somewhere else than the source writes, for three answers', () => {
    const watch = new DumpWatch()
    const idle = at(1, 500)
    expect(watch.observe(at(1, 500), idle)).toBe(false)
    expect(watch.observe(at(1, 700), idle)).toBe(false)
    expect(watch.observe(at(1, 800), idle)).toBe(false)
    expect(watch.observe(at(1, 900), idle)).toBe(true)
    expect(watch.observe(at(1, 900), idle)).toBe(false)
  })

  test('once only for that, until it was seen where the source writes', () => {
    const watch = new DumpWatch()
    const asked = (): boolean[] => [1, 2, 3, 4].map(() => watch.observe(at(2, 700), at(1, 500)))
    expect(asked()).toEqual([false, false, true, false])
    expect(asked()).toEqual([false, false, false, false])
    expect(watch.observe(at(2, 700), at(2, 700))).toBe(false)
    expect(asked()).toEqual([false, false, true, false])
  })

  test('not while it moves, has more to send, or waits where the source writes', () => {
    const watch = new DumpWatch()
    for (let step = 1; step < 20; step += 1) {
      expect(watch.observe(at(1, step * 100), at(1, step * 100 - 50))).toBe(false)
    }
    for (let step = 20; step < 40; step += 1) {
      expect(watch.observe(at(step, 100), null)).toBe(false)
      expect(watch.observe(at(step, 200), at(step, 200))).toBe(false)
    }
  })

  test('not when the source names its files otherwise: that is for the next connect', () => {
    const watch = new DumpWatch()
    watch.observe(at(9, 100), null)
    expect(watch.observe({ file: 'other.000001', offset: 4 }, null)).toBe(false)
  })
})
