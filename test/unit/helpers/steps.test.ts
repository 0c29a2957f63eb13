import { describe, expect, test } from 'vitest'
import { needsRoot, runnableNames, STEPS, selectSteps } from '../../helpers/steps.ts'
import { countReport, listedTests } from '../../helpers/vitest-report.ts'

describe('selectSteps', () => {
  const namesOf = (...args: string[]) => {
    const selected = selectSteps(args)
    return 'steps' in selected ? selected.steps.map(({ name }) => name) : selected.problem
  }

  test('takes all steps, or the named ones in their own order', () => {
    expect(namesOf()).toEqual(STEPS.map(({ name }) => name))
    expect(namesOf('--only', 'unit,types')).toEqual(['types', 'unit'])
    expect(namesOf('--only=tidy', '--only=lint')).toEqual(['lint', 'tidy'])
  })

  test('runs what takes long only when it is asked for', () => {
    const isLong = (args: readonly string[], env = {}) => {
      const selected = selectSteps(args, env)
      return 'long' in selected ? selected.long : selected.problem
    }
    expect(isLong([])).toBe(false)
    expect(isLong(['--only', 'unit'])).toBe(false)
    expect(isLong([], { LANDBRIDGE_LONG: '0' })).toBe(false)
    expect(isLong(['--long'])).toBe(true)
    expect(isLong(['--long', '--only=unit'])).toBe(true)
    expect(isLong(['--only', 'long'])).toBe(true)
    expect(isLong([], { LANDBRIDGE_LONG: '1' })).toBe(true)
    expect(namesOf('--long')).toContain('long')
  })

  test('refuses what it does not know', () => {
    expect(namesOf('--only', 'unit,units')).toBe('there is no step units')
    expect(namesOf('--only')).toBe('--only names no step')
    expect(namesOf('--watch')).toBe('unknown argument --watch')
  })
})

test('without the packages of a flavour only tests that do not name it run', () => {
  const missing = { root: false, packages: ['mysql-server-core'], reason: '', remedy: '' }
  const pattern = new RegExp(runnableNames([missing]) ?? 'none')
  expect(pattern.test('relay > mariadb > feeds a replica')).toBe(true)
  expect(pattern.test('relay > feeds a MySQL replica')).toBe(false)
  expect(runnableNames([{ ...missing, packages: ['wireguard-go'] }])).toBeUndefined()
})

test('only what makes namespaces or tunnels needs root', () => {
  expect(needsRoot("import { startServer } from '../../src/lab/servers/start-server.ts'")).toBe(
    false,
  )
  expect(needsRoot("import { upLab } from '../../src/lab/lab-up.ts'")).toBe(true)
  expect(needsRoot("import { Tunnel } from '../../src/tunnel/tunnel.ts'")).toBe(true)
})

test('counts every test of a report, and a file that cannot be loaded as a failure', () => {
  const report = {
    testResults: [
      {
        name: '/root/test/unit/a.test.ts',
        status: 'failed',
        assertionResults: [
          { fullName: 'a works', status: 'passed' },
          { fullName: 'a breaks', status: 'failed' },
          { fullName: 'a later', status: 'todo' },
          { fullName: 'a elsewhere', status: 'skipped', meta: {} },
          { fullName: 'a alone', status: 'skipped', meta: { skipReason: 'there is no engine' } },
        ],
      },
      {
        name: '/root/test/unit/b.test.ts',
        status: 'failed',
        assertionResults: [{ fullName: 'b follows', status: 'skipped' }],
      },
    ],
  }
  expect(countReport(report, '/root/')).toEqual({
    passed: 1,
    failed: ['test/unit/a.test.ts > a breaks', 'test/unit/b.test.ts (the file itself)'],
    skipped: [
      { name: 'test/unit/a.test.ts > a later', broken: false },
      { name: 'test/unit/a.test.ts > a elsewhere', broken: false },
      { name: 'test/unit/a.test.ts > a alone', broken: false, reason: 'there is no engine' },
      { name: 'test/unit/b.test.ts > b follows', broken: true },
    ],
  })
})

test('names the tests of a list as those of a report are named', () => {
  const list = [{ name: 'a file > is read > twice', file: '/root/test/long/a.test.ts' }]
  expect(listedTests(list, '/root/')).toEqual(['test/long/a.test.ts > a file is read twice'])
})
