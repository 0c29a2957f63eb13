import { expect, test } from 'vitest'
import { commitMsOfSeconds } from '../../../src/spool/transaction-batch.ts'

test('a commit known to the second is placed where it was read, inside that second', () => {
  expect(commitMsOfSeconds(100, 100_250)).toBe(100_250)
  expect(commitMsOfSeconds(100, 99_990)).toBe(100_000)
  expect(commitMsOfSeconds(100, 500_000)).toBe(100_999)
})
