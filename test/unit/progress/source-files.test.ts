import { describe, expect, test } from 'vitest'
import { compareBinlogNames } from '../../../src/binlog/binlog-name.ts'
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
})

test('file names compare by number and only within one base name', () => {
  expect(compareBinlogNames('b.999999', 'b.1000000')).toBeLessThan(0)
  expect(compareBinlogNames('a.b.000002', 'a.b.000002')).toBe(0)
  expect(compareBinlogNames('a.000001', 'b.000001')).toBeNull()
})
