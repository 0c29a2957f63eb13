import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import type { DrStream } from '../../../src/gateway/dr-stream.ts'
import { lineageProblems } from '../../../src/gateway/lineage-problems.ts'

const full = new LandbridgeError('ERR_DISK_FULL', 'no room')

test.each([
  ['a warning', null, 'warning', 'they stay until 2026-11-27T10:00 UTC'],
  ['an error on a full disk', { error: full, sinceMs: 1 }, 'error', 'UTC, and the disk is full'],
])('files that are held beyond the limits are %s', (_what, problem, severity, text) => {
  const stream = {
    name: 'main',
    spool: {
      lineage: () => ({ epoch: 2, startedAtMs: 5, reason: 'was reset' }),
      heldBack: () => ({ files: 3, bytes: 1_500_000, untilMs: Date.UTC(2026, 10, 27, 10) }),
      outdatedReplicas: () => [],
      damagedPins: null,
    },
    writer: { problem },
    relay: null,
    poller: null,
  }
  expect(lineageProblems(stream as unknown as DrStream)).toEqual([
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
