import { describe, expect, test } from 'vitest'
import { filesToRemove, type RetentionPolicy } from '../../../src/spool/retention.ts'
import type { SpoolFile } from '../../../src/spool/spool-file.ts'

const NOW_MS = 1_000_000_000
const DAY_S = 86_400

/** Four files of 100 bytes; the first is four days old, the last is of today. */
const FILES = [1, 2, 3, 4].map(
  (ordinal): SpoolFile => ({
    ordinal,
    epoch: 1,
    name: `binlog.00000${ordinal}`,
    path: `/spool/${ordinal}`,
    gtidsBefore: '',
    bytes: 100,
    complete: true,
    transactions: 1,
    firstTimestamp: 1,
    lastTimestamp: NOW_MS / 1000 - (4 - ordinal) * DAY_S,
  }),
)

const NONE = Number.POSITIVE_INFINITY
const days = (count: number): number => count * DAY_S * 1000

describe('retention', () => {
  test.each<[string, Partial<RetentionPolicy>, number, number[]]>([
    ['keeps everything without a limit', {}, NONE, []],
    ['lets files go by age', { ageMsMax: days(1.5) }, NONE, [1, 2]],
    ['keeps a file of exactly the age', { ageMsMax: days(2) }, NONE, [1]],
    ['lets files go by size', { bytesMax: 250 }, NONE, [1, 2]],
    ['keeps what fits exactly', { bytesMax: 400 }, NONE, []],
    ['lets files go by either limit', { ageMsMax: days(2.5), bytesMax: 250 }, NONE, [1, 2]],
    ['always keeps the newest', { ageMsMax: 0, bytesMax: 1 }, NONE, [1, 2, 3]],
    ['keeps what a replica needs over age', { ageMsMax: 0 }, 2, [1]],
    ['keeps what a replica needs over size', { bytesMax: 100 }, 3, [1, 2]],
    ['gives it up for a hard size limit', { bytesMax: 200, hardLimit: true }, 1, [1, 2]],
    ['keeps it over age under a hard limit', { ageMsMax: 0, hardLimit: true }, 1, []],
  ])('%s', (_sentence, policy, neededFrom, removed) => {
    const whole = { ageMsMax: null, bytesMax: null, hardLimit: false, ...policy }
    const found = filesToRemove(FILES, whole, neededFrom, NOW_MS)
    expect(found.map(({ ordinal }) => ordinal)).toEqual(removed)
  })

  test('does not judge the age of a file that names no time', () => {
    const timeless = FILES.map((file) => ({ ...file, lastTimestamp: 0 }))
    const policy = { ageMsMax: 0, bytesMax: null, hardLimit: false }
    expect(filesToRemove(timeless, policy, NONE, NOW_MS)).toEqual([])
  })

  test('has nothing to remove where there is nothing', () => {
    const policy = { ageMsMax: 0, bytesMax: 1, hardLimit: true }
    expect(filesToRemove([], policy, NONE, NOW_MS)).toEqual([])
  })
})
