import { expect, test } from 'vitest'
import { heldProblems } from '../../../src/spool/spool-problems.ts'

test.each([
  ['a warning', false, 'warning', 'they stay until 2026-11-27T10:00 UTC'],
  ['an error on a full disk', true, 'error', 'UTC, and the disk is full'],
])('files that are held beyond the limits are %s', (_what, isFull, severity, text) => {
  const lineage = { epoch: 2, startedAtMs: 5, reason: 'was reset' }
  const held = { files: 3, bytes: 1_500_000, untilMs: Date.UTC(2026, 10, 27, 10) }
  expect(heldProblems('main', held, lineage, isFull)).toEqual([
    {
      code: 'ERR_SPOOL_HELD',
      severity,
      where: 'spool:main',
      message: expect.stringMatching(`^3 files \\(2 MB\\) would go.*${text}$`),
      remedy: expect.stringContaining('retention.minimumHold'),
      sinceMs: 5,
    },
  ])
})
