import { expect, test } from 'vitest'
import { anonymousMiB, MemoryWatch, memoryGrowth } from '../../../../src/lab/chaos/memory-watch.ts'

function watched(samples: readonly number[], pidOf: (index: number) => number = () => 1) {
  const watch = new MemoryWatch()
  for (const [index, sample] of samples.entries()) watch.observe(pidOf(index), sample)
  return watch.report()
}

test('memory that grows is named, after the first tenth in which a process warms up', () => {
  const warm = Array.from({ length: 100 }, (_, index) => (index < 10 ? 40 + index : 80))
  expect(watched(warm)).toEqual({ beginMiB: 80, maxMiB: 80, endMiB: 80 })
  expect(memoryGrowth('dr', watched(warm))).toBeNull()
  const growing = warm.map((sample, index) => sample + index)
  expect(memoryGrowth('dr', watched(growing))).toBe('dr: memory grew from 95 to 175 MiB')
})

test('what was taken for a while and given back is no growth', () => {
  const peak = Array.from({ length: 100 }, (_, index) => (index > 40 && index < 60 ? 300 : 80))
  expect(watched(peak)).toEqual({ beginMiB: 80, maxMiB: 300, endMiB: 80 })
  expect(memoryGrowth('dr', watched(peak))).toBeNull()
})

test('a process that takes the place of another begins anew; too little is no proof', () => {
  const samples = Array.from({ length: 100 }, (_, index) => (index < 50 ? 200 : 80))
  const pidOf = (index: number) => (index < 50 ? 1 : 2)
  expect(watched(samples, pidOf)?.maxMiB).toBe(80)
  expect(memoryGrowth('dr', watched([80, 80]))).toContain('too few')
})

test('the memory of this process is known, of none is not', () => {
  expect(anonymousMiB(process.pid)).toBeGreaterThan(10)
  expect(anonymousMiB(2 ** 30)).toBeNull()
})
