import { expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import type { PreflightFinding } from '../../../src/source/preflight.ts'
import { SourceWarnings } from '../../../src/source/source-warnings.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const format: PreflightFinding = {
  code: 'ERR_SOURCE_FORMAT',
  severity: 'warning',
  message: 'binlog_format is MIXED',
  fix: "SET PERSIST binlog_format = 'ROW'",
}
const clockDiffers = { ...format, code: 'ERR_SOURCE_CLOCK', fix: null } as const
const good = { ...format, code: 'ERR_SOURCE_CHECKSUM', severity: 'ok' } as const
const fatal = { ...format, code: 'ERR_SOURCE_NO_GTID', severity: 'error' } as const

test('shows the warnings of the last preflight, each since it was first seen', async () => {
  const clock = new FakeClock()
  const lines: [object, string][] = []
  const warn = (fields: object, text: string) => lines.push([fields, text])
  const log = { ...silentLog, warn }
  const warnings = new SourceWarnings({ stream: 'main', clock, log })
  expect(warnings.problems()).toEqual([])
  const firstMs = clock.wallMs()
  warnings.take([good, format, fatal])
  expect(warnings.problems()).toEqual([
    {
      code: 'ERR_SOURCE_FORMAT',
      severity: 'warning',
      where: 'source:main',
      message: 'binlog_format is MIXED',
      remedy: "SET PERSIST binlog_format = 'ROW'",
      sinceMs: firstMs,
    },
  ])
  await clock.advance(60_000)
  warnings.take([format, clockDiffers])
  expect(warnings.problems()).toMatchObject([
    { code: 'ERR_SOURCE_FORMAT', sinceMs: firstMs },
    { code: 'ERR_SOURCE_CLOCK', sinceMs: firstMs + 60_000 },
  ])
  expect(warnings.problems()[1]).not.toHaveProperty('remedy')
  expect(lines).toEqual([
    [{ code: format.code, remedy: format.fix }, 'source: binlog_format is MIXED'],
    [{ code: clockDiffers.code }, 'source: binlog_format is MIXED'],
  ])
  warnings.take([good])
  expect(warnings.problems()).toEqual([])
})

test('says of a source that is read what its next dump would be refused for', async () => {
  const clock = new FakeClock()
  const warnings = new SourceWarnings({ stream: 'main', clock, log: silentLog })
  warnings.take([good, format])
  warnings.foresee([good, format, fatal])
  expect(warnings.problems()).toMatchObject([
    { code: 'ERR_SOURCE_FORMAT', severity: 'warning', message: 'binlog_format is MIXED' },
    {
      code: 'ERR_SOURCE_NO_GTID',
      severity: 'error',
      message: 'binlog_format is MIXED: the next dump will be refused',
      remedy: format.fix,
    },
  ])
  warnings.take([format, fatal])
  expect(warnings.problems()).toMatchObject([{ code: 'ERR_SOURCE_FORMAT' }])
})
