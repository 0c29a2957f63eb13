import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GtidIntervals } from '../../../src/binlog/gtid-intervals.ts'

type Range = readonly [first: number, last: number]

function intervalsOf(ranges: readonly Range[]): GtidIntervals {
  const intervals = new GtidIntervals()
  for (const [first, last] of ranges) intervals.add(BigInt(first), BigInt(last))
  return intervals
}

function numbersOf(intervals: GtidIntervals): Set<number> {
  const numbers = new Set<number>()
  for (const [first, last] of intervals) {
    for (let number = first; number <= last; number += 1n) numbers.add(Number(number))
  }
  return numbers
}

/** Sorted, apart from each other by more than one. */
function expectNormal(intervals: GtidIntervals): void {
  let before = -1n
  for (const [first, last] of intervals) {
    expect(first).toBeGreaterThan(before + 1n)
    expect(last).toBeGreaterThanOrEqual(first)
    before = last
  }
}

const range = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 12 }))
  .map(([first, more]): Range => [first, first + more])
/** Short and long ones: what is much shorter is added and removed one by one. */
const ranges = fc.oneof(fc.array(range, { maxLength: 3 }), fc.array(range, { maxLength: 40 }))

describe('intervals', () => {
  test('joined are what is in either', () => {
    fc.assert(
      fc.property(ranges, ranges, (left, right) => {
        const [one, other] = [intervalsOf(left), intervalsOf(right)]
        const expected = new Set([...numbersOf(one), ...numbersOf(other)])
        const otherBefore = other.toString()
        one.addAll(other)
        expect(numbersOf(one)).toEqual(expected)
        expectNormal(one)
        expect(other.toString()).toBe(otherBefore)
      }),
    )
  })

  test('without others are what is in no other', () => {
    fc.assert(
      fc.property(ranges, ranges, (left, right) => {
        const [one, other] = [intervalsOf(left), intervalsOf(right)]
        const others = numbersOf(other)
        const expected = new Set([...numbersOf(one)].filter((number) => !others.has(number)))
        one.removeAll(other)
        expect(numbersOf(one)).toEqual(expected)
        expectNormal(one)
      }),
    )
  })

  test('of a copy are its own', () => {
    const one = intervalsOf([[1, 5]])
    const copy = one.clone()
    copy.add(7n, 9n)
    one.remove(2n, 3n)
    expect([one.toString(), copy.toString()]).toEqual(['1:4-5', '1-5:7-9'])
  })

  // One by one this takes minutes.
  test('in their hundreds of thousands are joined and taken away at once', () => {
    const [odd, even] = [new GtidIntervals(), new GtidIntervals()]
    const count = 500_000
    for (let number = 1n; number <= 2 * count; number += 4n) {
      odd.add(number, number)
      even.add(number + 2n, number + 2n)
    }
    const both = odd.clone()
    both.addAll(even)
    expect(both.length).toBe(count)
    both.removeAll(odd)
    expect(both.length).toBe(even.length)
    both.removeAll(even)
    expect(both.length).toBe(0)
  })
})
