import { describe, expect, test } from 'vitest'
import { compareBinlogNames } from '../../../src/binlog/binlog-name.ts'
import { commitMsOfSeconds } from '../../../src/progress/commit-time.ts'
import { SourceFiles } from '../../../src/progress/source-files.ts'

const at = (number: number, offset: number) => ({ file: `b.00000${number}`, offset })

describe('bytes between two places of the source', () => {
  test('come from the list of files where it reaches', () => {
    const files = new SourceFiles()
    expect(files.bytesBetween(at(1, 10), at(3, 5))).toBeNull()
    files.list([1, 2, 3].map((number) => ({ name: at(number, 0).file, bytes: 100 })))
    expect(files.bytesBetween(at(1, 10), at(3, 5))).toBe(195)
    expect(files.bytesBetween(at(3, 5), at(1, 10))).toBe(-195)
    expect(files.bytesBetween(at(2, 5), at(2, 10))).toBe(5)
    expect(files.bytesBetween(at(1, 10), at(4, 5))).toBeNull()
    files.reset()
    expect(files.bytesBetween(at(1, 10), at(3, 5))).toBeNull()
  })

  test('come from running totals, also when the source purges its oldest files', () => {
    const files = new SourceFiles()
    files.observe(at(1, 50), 1050)
    files.observe(at(2, 10), 1110)
    expect(files.bytesBetween(at(1, 50), at(2, 10))).toBe(60)
    files.observe(at(2, 20), 520)
    expect(files.bytesBetween(at(1, 50), at(2, 20))).toBe(70)
    files.observe(at(3, 0), 600)
    expect(files.bytesBetween(at(2, 20), at(3, 0))).toBe(80)
    files.observe(at(4, 0), 10)
    expect(files.bytesBetween(at(3, 0), at(4, 0))).toBeNull()
  })
})

test('file names compare by number and only within one base name', () => {
  expect(compareBinlogNames('b.999999', 'b.1000000')).toBeLessThan(0)
  expect(compareBinlogNames('a.b.000002', 'a.b.000002')).toBe(0)
  expect(compareBinlogNames('a.000001', 'b.000001')).toBeNull()
})

test('a commit known to the second is placed where it was read, inside that second', () => {
  expect(commitMsOfSeconds(100, 100_250)).toBe(100_250)
  expect(commitMsOfSeconds(100, 99_990)).toBe(100_000)
  expect(commitMsOfSeconds(100, 500_000)).toBe(100_999)
})
