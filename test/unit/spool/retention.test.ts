import { describe, expect, test } from 'vitest'
import { filesToRemove, heldBack, type RetentionPolicy } from '../../../src/spool/retention.ts'
import { SpoolFile, type SpoolFileFacts } from '../../../src/spool/spool-file.ts'

const NOW_MS = 1_000_000_000
const DAY_S = 86_400

/** Four files of 100 bytes; the first is four days old, the last is of today. */
const FACTS = [1, 2, 3, 4].map(
  (ordinal): SpoolFileFacts => ({
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
const FILES = FACTS.map((facts) => new SpoolFile(facts, ''))

const NONE = Number.POSITIVE_INFINITY
const days = (count: number): number => count * DAY_S * 1000

const rulesOf = (policy: RetentionPolicy, neededFrom = NONE) => ({
  policy,
  neededFrom,
  nowMs: NOW_MS,
  endedMs: new Map<number, number>(),
})

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
    const found = filesToRemove(FILES, rulesOf(whole, neededFrom))
    expect(found.map(({ ordinal }) => ordinal)).toEqual(removed)
  })

  test('does not judge the age of a file that names no time', () => {
    const timeless = FACTS.map((facts) => new SpoolFile({ ...facts, lastTimestamp: 0 }, ''))
    const policy = { ageMsMax: 0, bytesMax: null, hardLimit: false }
    expect(filesToRemove(timeless, rulesOf(policy))).toEqual([])
  })

  test('has nothing to remove where there is nothing', () => {
    const policy = { ageMsMax: 0, bytesMax: 1, hardLimit: true }
    expect(filesToRemove([], rulesOf(policy))).toEqual([])
  })
})

describe('the hold of what is of before a reset', () => {
  const policy = { ageMsMax: 0, bytesMax: 1, hardLimit: true, minimumHoldMs: days(7) }
  // Two lineages that were ended by resets, and the one of now.
  const files = FACTS.map(
    (facts, index) => new SpoolFile({ ...facts, epoch: [1, 2, 3, 3][index] ?? 3 }, ''),
  )
  const rules = (daysAgo: Record<number, number>) => ({
    ...rulesOf(policy),
    endedMs: new Map(Object.entries(daysAgo).map(([n, ago]) => [Number(n), NOW_MS - days(ago)])),
  })

  test.each<[string, Record<number, number>, number[], object | null]>([
    ['wins over every limit', { 1: 6, 2: 6 }, [], { files: 3, bytes: 300, until: 1 }],
    [
      'is over one lineage after the other',
      { 1: 8, 2: 6 },
      [1],
      { files: 2, bytes: 200, until: 1 },
    ],
    ['is over', { 1: 8, 2: 7 }, [1, 2, 3], null],
  ])('%s', (_sentence, daysAgo, removed, held) => {
    const found = filesToRemove(files, rules(daysAgo))
    expect(found.map(({ ordinal }) => ordinal)).toEqual(removed)
    const back = heldBack(files, rules(daysAgo))
    const until = back && (back.untilMs - NOW_MS) / days(1)
    expect(back && { files: back.files, bytes: back.bytes, until }).toEqual(held)
  })

  test('says nothing where the limits would let nothing go', () => {
    const roomy = { ...policy, ageMsMax: null, bytesMax: 400 }
    expect(heldBack(files, { ...rules({ 1: 1, 2: 1 }), policy: roomy })).toBeNull()
  })
})
