import { expect, test } from 'vitest'
import type { CopySample, DemoSample } from '../../../../src/lab/demo/demo-sample.ts'
import { RestartingCounter } from '../../../../src/lab/demo/demo-sample.ts'
import { bytesText, DemoScreen, msText, plainLine } from '../../../../src/lab/demo/demo-screen.ts'
import {
  type CopyOutcome,
  type DemoOutcome,
  summarise,
  summaryLines,
} from '../../../../src/lab/demo/demo-summary.ts'

const noOlder = { older: [], olderReason: null }
const copy: CopyOutcome = {
  stream: 'main',
  site: 'azure',
  label: '',
  spool: {
    identical: true,
    files: 2,
    bytes: 48_000_000,
    sourceBytes: 48_000_000,
    failures: [],
    ...noOlder,
  },
  tables: { equal: true, tables: 7, rows: 50_000, failures: [], unproven: 0 },
  receiveLagMs: { p50: 17, p99: 41 },
  applyLagMs: { p50: 4, p99: 30 },
}
const outcome: DemoOutcome = {
  flavor: 'mariadb',
  seconds: 30,
  transactions: 12_000,
  binlogBytes: 48_000_000,
  tunnelBytes: 21_000_000,
  copies: [copy],
  failures: [],
}

const changed = (change: Partial<CopyOutcome>) => ({ copies: [{ ...copy, ...change }] })

test('is ok when everything is equal, with the fields a script reads', () => {
  const summary = summarise(outcome)
  expect(summary).toEqual({
    ok: true,
    flavor: 'mariadb',
    seconds: 30,
    transactions: 12_000,
    binlogBytes: 48_000_000,
    tunnelBytes: 21_000_000,
    spoolIdentical: true,
    replicaEqual: true,
    receiveLagMs: { p50: 17, p99: 41 },
    applyLagMs: { p50: 4, p99: 30 },
    copies: [
      {
        ...{ stream: 'main', site: 'azure', spoolIdentical: true, replicaEqual: true },
        ...{ receiveLagMs: { p50: 17, p99: 41 }, applyLagMs: { p50: 4, p99: 30 } },
      },
    ],
    failures: [],
  })
  const text = summaryLines(summary, outcome).join('\n')
  expect(text).toContain('✓ spool identical to source')
  expect(text).toContain('✓ replica equals source')
})

test.each<[string, Partial<DemoOutcome>, string]>([
  [
    'the spool differs',
    changed({
      spool: {
        identical: false,
        files: 1,
        bytes: 9,
        sourceBytes: 20,
        failures: ['binlog.000001: differs at offset 9'],
        ...noOlder,
      },
    }),
    'spool: binlog.000001: differs at offset 9',
  ],
  [
    'a table differs',
    changed({
      tables: { equal: false, tables: 1, rows: 1, failures: ['table a differs'], unproven: 0 },
    }),
    'replica: table a differs',
  ],
  ['something else failed', { failures: ['no gateway'] }, 'no gateway'],
  ['nothing was written', { transactions: 0 }, 'not one transaction was committed'],
])('is not ok when %s, and says so', (_name, change, failure) => {
  const summary = summarise({ ...outcome, ...change })
  expect(summary.ok).toBe(false)
  expect(summary.failures).toEqual([failure])
  expect(summaryLines(summary, { ...outcome, ...change }).join('\n')).toContain(failure)
})

test('is not ok when nothing was compared', () => {
  expect(summarise({ ...outcome, copies: [] })).toMatchObject({ ok: false, replicaEqual: false })
})

test('names the copy that differs, and tells the greatest lag of all', () => {
  const tables = { equal: false, tables: 1, rows: 1, failures: ['table a differs'], unproven: 0 }
  const copies = [
    { ...copy, label: 'main at azure', applyLagMs: { p50: null, p99: null } },
    {
      ...copy,
      label: 'main at gcp',
      site: 'gcp' as const,
      tables,
      receiveLagMs: { p50: 9, p99: 99 },
    },
  ]
  const summary = summarise({ ...outcome, copies })
  expect(summary).toMatchObject({
    ok: false,
    spoolIdentical: true,
    replicaEqual: false,
    receiveLagMs: { p50: 17, p99: 99 },
    applyLagMs: { p50: 4, p99: 30 },
    failures: ['main at gcp, replica: table a differs'],
  })
  const text = summaryLines(summary, { ...outcome, copies }).join('\n')
  expect(text).toContain('✓ main at azure: replica equals source')
  expect(text).toContain('✗ NOT main at gcp: replica equals source')
})

test('a counter that starts again adds up', () => {
  const counter = new RestartingCounter()
  for (const value of [10, 25, 3, 8]) counter.add(value)
  expect(counter.total).toBe(33)
})

test('prints figures as people read them', () => {
  expect([msText(0.1234), msText(41.234), msText(12_345), msText(null)]).toEqual([
    '0.123 ms',
    '41.2 ms',
    '12.3 s',
    'unknown',
  ])
  expect([bytesText(1_500), bytesText(2_500_000), bytesText(3e9)]).toEqual([
    '1.5 kB',
    '2.5 MB',
    '3.00 GB',
  ])
})

const copySample: CopySample = {
  label: '',
  receiveLag: { p50: 1, p99: 2 },
  applyLag: { p50: null, p99: null },
  roundTripMs: 30,
  replicaState: 'streaming',
}

const sample = (elapsedSeconds: number): DemoSample => ({
  elapsedSeconds,
  transactions: 400,
  transactionsPerSecond: 400,
  binlogBytes: 1_000,
  tunnelBytes: 500,
  copies: [copySample],
  gateways: [
    { site: 'ec2', pid: 7, running: false, answers: false },
    { site: 'azure', pid: 8, running: true, answers: true },
  ],
})

function screenInto(written: string[], isScreen: boolean): DemoScreen {
  const write = (text: string) => void written.push(text)
  return new DemoScreen({ isScreen, write, eraseLines: (count) => write(`erase ${count}`) })
}

test('refreshes its table in place on a terminal', () => {
  const written: string[] = []
  const screen = screenInto(written, true)
  screen.sample(sample(1))
  screen.sample(sample(2))
  expect(written).toHaveLength(3)
  expect(written[1]).toBe('erase 10')
  expect(written[2]).toContain('NOT RUNNING (was pid 7)')
})

test('prints a plain line every few seconds elsewhere', () => {
  const written: string[] = []
  const screen = screenInto(written, false)
  for (let second = 0; second < 11; second += 1) screen.sample(sample(second))
  expect(written).toHaveLength(3)
  expect(written.join('')).not.toContain('\u001b')
  expect(written[0]).toContain('ec2 gateway NOT RUNNING')
})

test('has a line for each of several copies', () => {
  const copies = ['main at azure', 'main at gcp'].map((label) => ({ ...copySample, label }))
  expect(plainLine({ ...sample(1), copies }).split('\n')).toEqual([
    expect.stringMatching(/^1 s, 400 transactions/),
    expect.stringMatching(/^ {4}main at azure: receive lag p50 1 ms/),
    expect.stringMatching(/^ {4}main at gcp: receive lag p50 1 ms/),
  ])
})
