import { expect } from 'vitest'
import { codeOf } from '../../../src/base/errors.ts'
import { seededRandom } from '../../../src/lab/load/workload-statements.ts'
import type { Spool } from '../../../src/spool/spool.ts'
import type { DiskCall, Fault, MemoryDisk } from '../disk/memory-disk.ts'
import type { MemoryFileSystem } from '../disk/memory-file-system.ts'
import { LineagePlayer } from './lineage-player.ts'
import type { Lineage } from './recorded-lineage.ts'
import { SpoolFixture } from './spool-fixture.ts'
import { type Published, SpoolJudge } from './spool-judge.ts'

/** None of its folders is there at the beginning. */
export const SPOOL = '/srv/landbridge/main'

/** A moment between two calls of the disk, and what was served by then. */
export interface CrashPoint {
  /** The next call, which did not happen. */
  readonly call: DiskCall
  readonly files: MemoryFileSystem
  readonly published: Published
}

export interface SpoolRunOptions {
  /** Of the pieces' sizes and of when retention runs. */
  readonly seed: number
  /** Oldest files go when there is more; 1 leaves only the newest; null: no checkpoints either. */
  readonly retentionBytesMax: number | null
  /** Looks at the spool when it has recovered. */
  readonly onOpened?: (spool: Spool) => void
  /** Whether the disk before every change is kept, in `points`. */
  readonly remembers?: boolean
  /** Decides about the n-th call, counted from 0, reads included. */
  readonly fault?: (call: DiskCall, n: number) => Fault | Promise<Fault>
}

export interface SpoolRun {
  readonly points: readonly CrashPoint[]
  readonly calls: readonly DiskCall[]
  readonly sessions: number
}

const CHECKPOINT_BYTES = 900
const ATTEMPTS_MAX = 5

/**
 * Opens the spool on `disk`, receives the lineage from where the spool ends to its end, and closes
 * it. Every acknowledgement is held against what is durable at that moment.
 */
export async function runSpool(
  lineage: Lineage,
  disk: MemoryDisk,
  options: SpoolRunOptions,
): Promise<SpoolRun> {
  const judge = new SpoolJudge(lineage, SPOOL)
  const points: CrashPoint[] = []
  const calls: DiskCall[] = []
  let opened: SpoolFixture | null = null
  disk.before = (call) => {
    if (call.isChange && options.remembers) {
      points.push({ call, files: disk.files.copy(), published: served(opened) })
    }
    calls.push(call)
    return options.fault?.(call, calls.length - 1)
  }
  const fixture = await openAgain(disk, options)
  opened = fixture
  options.onOpened?.(fixture.spool)
  const player = new LineagePlayer(lineage, fixture, seededRandom(options.seed))
  const unsafe: unknown[] = []
  judge.watch(player, disk, fixture.spool, unsafe)
  player.onFile = (index) => pinUntilLast(fixture, index === lineage.files.length - 1)
  let sessions = 1
  for (; !(await player.play()); sessions += 1) {
    if (unsafe.length > 0) throw unsafe[0]
    if (sessions > ATTEMPTS_MAX) throw new Error('the stream does not go on')
  }
  if (unsafe.length > 0) throw unsafe[0]
  judge.expectComplete(disk, fixture.spool)
  await fixture[Symbol.asyncDispose]()
  return { points, calls, sessions }
}

/**
 * A replica needs the first file until the last one begins: then several go at once. What it needs
 * is said once, to the first process: those after it know it from the disk, or not at all.
 */
async function pinUntilLast({ spool }: SpoolFixture, isLast: boolean): Promise<void> {
  if (spool.files().length === 0) {
    spool.claims.confirm('replica:a', { ordinal: 1, epoch: 1 })
  }
  if (spool.claims.list().length > 0) expect(spool.files()[0]?.ordinal ?? 1).toBe(1)
  if (isLast) await spool.claims.release('a')
}

/** As a gateway does it: a disk that fails is tried again. */
async function openAgain(disk: MemoryDisk, options: SpoolRunOptions): Promise<SpoolFixture> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await openSpool(disk, options)
    } catch (error) {
      const isDiskError = ['EIO', 'ENOSPC'].includes(codeOf(error))
      if (attempt > ATTEMPTS_MAX || !isDiskError) throw error
    }
  }
}

export async function openSpool(
  disk: MemoryDisk,
  { retentionBytesMax }: Pick<SpoolRunOptions, 'retentionBytesMax'>,
): Promise<SpoolFixture> {
  const retention = { ageMsMax: null, bytesMax: retentionBytesMax, hardLimit: false }
  // Without retention no checkpoint either: it could hide what an index record should have said.
  const checkpoints = retentionBytesMax === null ? {} : { checkpointBytes: CHECKPOINT_BYTES }
  return await SpoolFixture.open(SPOOL, { disk, retention, ...checkpoints })
}

function served(fixture: SpoolFixture | null): Published {
  return fixture?.spool.files().map((file) => ({ ...file })) ?? []
}
