import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { errorJson, formatError } from '../../../src/cli/error-report.ts'
import { exitCodeFor } from '../../../src/cli/exit-code.ts'

const error = new LandbridgeError('ERR_CONFIG', 'two problems', {
  remedy: 'correct both',
  details: { gtid: 7n },
  cause: new Error('the inner one'),
})

test('an error is printed with its causes, code and remedy', () => {
  expect(formatError(error)).toBe(
    'error: two problems: the inner one\n  code: ERR_CONFIG\n  remedy: correct both\n',
  )
})

test('an error is one JSON object with --json', () => {
  expect(errorJson(error)).toEqual({
    ok: false,
    error: {
      code: 'ERR_CONFIG',
      message: 'two problems: the inner one',
      remedy: 'correct both',
      retryable: false,
      details: { gtid: 7n },
    },
  })
})

test('a slip of ours shows where it happened', () => {
  expect(formatError(new TypeError('x is not a function'))).toContain('error-report.test.ts')
})

test('the exit code tells wrong configuration from other failures', () => {
  expect(exitCodeFor(error)).toBe(2)
  expect(exitCodeFor(new Error('else'))).toBe(1)
})
