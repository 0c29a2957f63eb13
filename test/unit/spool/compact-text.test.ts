import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { CompactText } from '../../../src/base/compact-text.ts'
import { SpoolFile } from '../../../src/spool/spool-file.ts'

test.each([0, 1, 4_095, 4_096, 200_000])(
  'a text of %i characters comes back as it was',
  (length) => {
    const text = Array.from({ length }, (_, at) => 'ä1-:,'[at % 5]).join('')
    expect(new CompactText(text).toString()).toBe(text)
  },
)

const FILES = 1_000
const DOMAINS = 4_000

test('thousands of files with large sets of GTIDs cost little memory', { timeout: 90_000 }, () => {
  const setOf = (last: number) =>
    Array.from({ length: DOMAINS }, (_, domain) => `${10_000 + domain}-1001-${last}`).join()
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage()
  const files = Array.from({ length: FILES }, (_, index) => {
    const facts = { ordinal: index + 1, epoch: 1, name: 'b', path: '/b', gtidsBefore: setOf(index) }
    const figures = { bytes: 1, complete: true, transactions: 1 }
    const times = { firstTimestamp: 0, lastTimestamp: 0 }
    return new SpoolFile({ ...facts, ...figures, ...times }, facts.gtidsBefore)
  })
  collect()
  const after = process.memoryUsage()
  const growth = after.heapUsed + after.external - before.heapUsed - before.external
  const asTexts = FILES * setOf(0).length
  expect(growth).toBeLessThan(asTexts / 2)
  expect(files[7]?.gtidsBefore).toBe(setOf(7))
})
