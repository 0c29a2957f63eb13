import { describe, expect, test } from 'vitest'
import type { FileReport, RunReport } from '../../../helpers/runner/run-report.ts'
import { StepRunner } from '../../../helpers/runner/step-runner.ts'
import type { VitestRun } from '../../../helpers/runner/vitest-run.ts'

const STEP = { kind: 'vitest', name: 'parallel', projects: ['unit', 'integration'] } as const

function file(name: string, state: 'passed' | 'failed', message = 'no'): FileReport {
  const tests = [{ name: 'works', state, ...(state === 'failed' && { message }) }]
  return {
    path: `test/unit/${name}.test.ts`,
    project: 'unit',
    durationMs: 1,
    cpuMs: null,
    errors: [],
    tests,
  }
}

function run(files: readonly FileReport[], change: Partial<VitestRun & RunReport> = {}): VitestRun {
  const isFailed = files.some(({ tests }) => tests.some(({ state }) => state === 'failed'))
  const { exitCode = isFailed ? 1 : 0, unhandled = [] } = change
  return { exitCode, report: { files, unhandled } }
}

/** Runs the step with what vitest answers, call by call. */
async function outcome(...answers: readonly VitestRun[]) {
  const asked: (readonly string[])[] = []
  let text = ''
  const runner = new StepRunner({
    runVitest: async (_projects, files) => {
      asked.push(files)
      const answer = answers[asked.length - 1]
      if (answer === undefined) throw new Error('vitest was run once more than expected')
      return answer
    },
    write: (part) => {
      text += part
    },
  })
  await runner.run(STEP, null)
  const exitCode = runner.finish([])
  return { exitCode, text, asked, last: text.trimEnd().split('\n').at(-1) }
}

describe('a file that fails', () => {
  const first = run([file('a', 'failed', 'too late'), file('b', 'passed')])

  test('is run once more, alone, and named as flaky with what it said when it passes', async () => {
    const { exitCode, text, asked, last } = await outcome(first, run([file('a', 'passed')]))
    expect(asked).toEqual([[], ['test/unit/a.test.ts']])
    expect([exitCode, last]).toEqual([0, '2 passed, 0 failed, 0 skipped'])
    expect(text).toMatch(/^FLAKY: test\/unit\/a\.test\.ts failed, then passed alone/m)
    expect(text).toContain('too late')
  })

  test('fails when it fails again', async () => {
    const { exitCode, text, last } = await outcome(first, run([file('a', 'failed')]))
    expect([exitCode, last]).toEqual([1, '1 passed, 1 failed, 0 skipped'])
    expect(text).not.toContain('FLAKY')
  })

  test('fails when it does not even begin again', async () => {
    const { exitCode, last } = await outcome(first, { exitCode: 1, report: null })
    expect([exitCode, last]).toEqual([1, '1 passed, 1 failed, 0 skipped'])
  })

  test('is not run again where many fail: that is no chance', async () => {
    const many = Array.from({ length: 7 }, (_, index) => file(`f${index}`, 'failed'))
    const { asked, last } = await outcome(run(many))
    expect(asked).toHaveLength(1)
    expect(last).toBe('0 passed, 7 failed, 0 skipped')
  })
})

test('an error outside the tests fails the file that it is from, which is run again', async () => {
  const unhandled = [{ message: 'nobody took it', path: 'test/unit/a.test.ts' }]
  const first = run([file('a', 'passed')], { exitCode: 1, unhandled })
  const { text, last } = await outcome(first, run([file('a', 'passed')]))
  expect(text).toContain('test/unit/a.test.ts (an error outside its tests)')
  expect(last).toBe('1 passed, 0 failed, 0 skipped')
})

test('a run that fails without a failed test is a failure of its own', async () => {
  const { exitCode, text, last } = await outcome(run([file('a', 'passed')], { exitCode: 1 }))
  expect([exitCode, last]).toEqual([1, '1 passed, 1 failed, 0 skipped'])
  expect(text).toContain('no test failed')
  const ofNoFile = [{ message: 'lost', path: null }]
  const lost = await outcome(run([file('a', 'passed')], { exitCode: 1, unhandled: ofNoFile }))
  expect(lost.last).toBe('1 passed, 1 failed, 0 skipped')
})

test('a run that ends without a report fails, and so does one without any test', async () => {
  const { last } = await outcome({ exitCode: 3, report: null })
  expect(last).toBe('0 passed, 1 failed, 0 skipped')
  expect((await outcome(run([]))).exitCode).toBe(1)
})
