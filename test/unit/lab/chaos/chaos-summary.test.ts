import { expect, test } from 'vitest'
import {
  byFault,
  type ChaosSummary,
  type CopyVerdict,
  type FaultReport,
  lateCopies,
  recoveriesOf,
  spreadOf,
  summaryText,
} from '../../../../src/lab/chaos/chaos-summary.ts'

const report = (step: number, name: string, recoveryMs: number | null): FaultReport => ({
  step,
  name,
  text: name,
  atMs: 0,
  skipped: null,
  recoveryMs,
  replicaRecoveryMs: null,
  late: [],
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

test('names each copy that did not come back in time, and after what', () => {
  const reports = [report(1, 'wan cut', 100), { ...report(2, 'x', 90_000), late: ['a', 'b'] }]
  expect(lateCopies(reports)).toEqual([
    'a had not synced within 90 s what was committed before: x',
    'b had not synced within 90 s what was committed before: x',
  ])
})

const whole: CopyVerdict = {
  stream: 'main',
  site: 'azure',
  lost: 0,
  doubled: 0,
  spoolIdentical: true,
  replicaEqual: true,
}
const summary: ChaosSummary = {
  ok: false,
  flavor: 'mysql',
  seed: 1,
  seconds: 60,
  faults: 3,
  transactions: 9,
  unknown: 0,
  lost: 2,
  doubled: 0,
  spoolIdentical: true,
  replicaEqual: false,
  copies: [whole, { ...whole, site: 'gcp', lost: 2, replicaEqual: false }],
  recoveryMs: null,
  replicaRecoveryMs: null,
  byFault: {},
  memory: { ec2: null, azure: { beginMiB: 40, maxMiB: 60, endMiB: 50 } },
  machine: { processors: 2, load: 1 },
  failures: [],
}

test('several copies are told one by one, the only one is not', () => {
  const lines = summaryText(summary).split('\n')
  expect(lines).toContainEqual(
    expect.stringMatching(/^ {2}main at azure +0 lost, 0 doubled, spool identical, replica equal$/),
  )
  expect(lines).toContainEqual(
    expect.stringMatching(/^ {2}main at gcp +2 lost, .* replica NOT EQUAL$/),
  )
  expect(lines).toContain('  memory, azure          40 MiB at first, 50 at last, 60 at most')
  expect(summaryText({ ...summary, copies: [whole] })).not.toContain('main at azure')
})
