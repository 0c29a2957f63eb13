import { expect, test } from 'vitest'
import { sourceFile } from '../../../src/source/source-facts.ts'

test('a file has as many bytes as a dump of it, not as on the disk when it is encrypted', () => {
  const row = { Log_name: 'binlog.000001', File_size: '1370' }
  expect(sourceFile(row)).toEqual({ name: 'binlog.000001', bytes: 1370 })
  expect(sourceFile({ ...row, Encrypted: 'No' }).bytes).toBe(1370)
  expect(sourceFile({ ...row, Encrypted: 'Yes' }).bytes).toBe(858)
})
