import { expect, test } from 'vitest'
import { formatComparison } from '../../../../src/cli/lab/lab-load-command.ts'

const spool = {
  identical: true,
  files: 3,
  bytes: 900,
  sourceBytes: 1500,
  failures: [],
  older: ['binlog.000001', 'binlog.000002'],
  olderReason: 'removed from the spool by its retention',
}
const tables = { equal: true, tables: 4, rows: 90, failures: [], unproven: 0 }

test('what retention removed is named beside what was compared', () => {
  expect(formatComparison({ ok: true, copies: [{ label: '', spool, tables }] })).toBe(
    'spool identical to source {"identical":true,"files":3,"bytes":900,"sourceBytes":1500}\n' +
      '  2 files not compared, removed from the spool by its retention: ' +
      'binlog.000001 to binlog.000002\n' +
      'replica equals source {"equal":true,"tables":4,"rows":90,"unproven":0}\n',
  )
})

test('a table that cannot be read leaves it unproven, and the verdict on the spool stands', () => {
  const failures = ['table `d`.`m` cannot be compared: the source says: no']
  const unproven = { ...tables, equal: false, failures, unproven: 1 }
  const text = formatComparison({ ok: false, copies: [{ label: '', spool, tables: unproven }] })
  expect(text).toContain('spool identical to source {')
  expect(text).toContain('NOT PROVEN replica equals source:\n  table `d`.`m` cannot be compared')
  const both = { ...unproven, failures: [...failures, 'table b differs'] }
  expect(formatComparison({ ok: false, copies: [{ label: '', spool, tables: both }] })).toContain(
    'NOT replica equals',
  )
})

test('each of several copies is told under its name', () => {
  const copies = ['main at azure', 'main at gcp'].map((label) => ({ label, spool: null, tables }))
  const lines = formatComparison({ ok: true, copies }).trimEnd().split('\n')
  expect([lines[0], lines[3]]).toEqual(['main at azure:', 'main at gcp:'])
  expect(lines).toHaveLength(6)
})
