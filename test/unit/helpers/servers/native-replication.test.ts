import { expect, test } from 'vitest'
import { newestNumber } from '../../../helpers/servers/native-replication.ts'

const [EARLY, LATE] = [
  '11111111-2222-3333-4444-555555555555',
  'eeeeeeee-2222-3333-4444-555555555555',
]

test.each([
  [`${EARLY}:1-95,${LATE}:1-150`, LATE, '150'],
  [`${EARLY}:1-95,${LATE}:1-150`, EARLY, '95'],
  [`${EARLY}:1-3:5-7`, EARLY, '7'],
  ['0-3-120', '-3-', '120'],
  ['1-1-95,3-3-120', '-1-', '95'],
])('the newest number in %s of %s is %s, wherever it stands', (gtids, owner, number) => {
  expect(newestNumber(gtids, owner)).toBe(number)
})

test('there is none of a server that wrote nothing', () => {
  expect(() => newestNumber(`${EARLY}:1-95`, LATE)).toThrow(/nothing of eeeeeeee/)
})
