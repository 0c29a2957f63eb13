import { expect, test } from 'vitest'
import { roundNumbers } from '../../../src/base/round-numbers.ts'
import { drStatus } from '../../helpers/status/status-fixture.ts'

test('no number of a status has more than three decimals, however deep', () => {
  const uglier = (value: unknown): unknown => {
    if (typeof value === 'number') return value + 0.000_123_4
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(uglier)
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, uglier(part)]))
  }
  const ugly = uglier(drStatus)
  const tooLong = /\d\.\d{4,}|\de-\d/
  expect(JSON.stringify(ugly).replace(/"[^"]*"/g, '')).toMatch(tooLong)
  expect(JSON.stringify(roundNumbers(ugly)).replace(/"[^"]*"/g, '')).not.toMatch(tooLong)
  expect(roundNumbers(drStatus)).toEqual(drStatus)
})
