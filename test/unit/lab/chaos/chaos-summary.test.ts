import { expect, test } from 'vitest'
import {
  byFault,
  type FaultReport,
  recoveriesOf,
  spreadOf,
} from '../../../../src/lab/chaos/chaos-summary.ts'

const report = (step: number, name: string, recoveryMs: number | null): FaultReport => ({
  step,
  name,
  text: name,
  atMs: 0,
  skipped: null,
  recoveryMs,
  replicaRecoveryMs: null,
})

test('the spread of nothing is nothing, of one value that value', () => {
  expect(spreadOf([])).toBeNull()
  expect(spreadOf([5])).toEqual({ p50: 5, p99: 5, max: 5, count: 1 })
  expect(spreadOf([30, 10, 20, 40])).toEqual({ p50: 20, p99: 40, max: 40, count: 4 })
})

test('a pair of faults recovers once and counts for both', () => {
  const reports = [report(1, 'wan cut', 100), report(1, 'stop source', 100), report(2, 'x', null)]
  expect(recoveriesOf(reports, 'recoveryMs')).toEqual([100])
  expect(byFault(reports)).toEqual({
    'stop source': { count: 1, medianMs: 100, maxMs: 100 },
    'wan cut': { count: 1, medianMs: 100, maxMs: 100 },
    x: { count: 1, medianMs: 0, maxMs: 0 },
  })
})

test('a fault that could not be done does not count', () => {
  expect(byFault([{ ...report(1, 'kill source', 3), skipped: 'not running' }])).toEqual({})
})
