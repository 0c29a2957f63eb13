import { expect, test } from 'vitest'
import { addCounts, countFile, type FileReport } from '../../../helpers/runner/run-report.ts'

const file: FileReport = {
  path: 'test/unit/a.test.ts',
  project: 'unit',
  durationMs: 1,
  cpuMs: null,
  errors: [],
  tests: [
    { name: 'a works', state: 'passed' },
    { name: 'a breaks', state: 'failed', message: 'expected 1' },
    { name: 'a elsewhere', state: 'skipped' },
    { name: 'a alone', state: 'skipped', skipReason: 'there is no engine' },
    { name: 'a never', state: 'pending' },
  ],
}

test('counts every test of a file, with the reason of what was skipped', () => {
  expect(countFile(file)).toEqual({
    passed: 1,
    failed: [
      { name: 'test/unit/a.test.ts > a breaks', message: 'expected 1' },
      { name: 'test/unit/a.test.ts > a never', message: 'it did not end' },
    ],
    skipped: [
      'test/unit/a.test.ts > a elsewhere: the test itself says so',
      'test/unit/a.test.ts > a alone: there is no engine',
    ],
  })
})

test('counts a file that cannot be loaded, and a set-up that fails, as a failure each', () => {
  const broken: FileReport = {
    ...file,
    errors: [{ where: 'a group', message: 'no server' }],
    tests: [{ name: 'a group follows', state: 'skipped' }],
  }
  expect(countFile(broken)).toEqual({
    passed: 0,
    failed: [{ name: 'test/unit/a.test.ts (a group)', message: 'no server' }],
    skipped: ['test/unit/a.test.ts > a group follows: the set-up failed'],
  })
})

test('adds counts up', () => {
  const { passed, failed, skipped } = addCounts([countFile(file), countFile(file)])
  expect([passed, failed.length, skipped.length]).toEqual([2, 4, 4])
})
