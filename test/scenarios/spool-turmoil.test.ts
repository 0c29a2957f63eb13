import { basename } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { LandbridgeError } from '../../src/base/errors.ts'
import { isBinlogName } from '../../src/binlog/binlog-name.ts'
import { type Random, seededRandom } from '../../src/lab/load/workload-statements.ts'
import { type DiskCall, type Fault, MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { ALL_KEPT, ALL_LOST, anyOutcome } from '../helpers/disk/power-loss.ts'
import { LineagePlayer } from '../helpers/spool/lineage-player.ts'
import { recordedLineage } from '../helpers/spool/recorded-lineage.ts'
import type { SpoolFixture } from '../helpers/spool/spool-fixture.ts'
import { type Published, SpoolJudge } from '../helpers/spool/spool-judge.ts'
import { openSpool, runSpool, SPOOL } from '../helpers/spool/spool-run.ts'
import { IS_FULL, SEED } from '../helpers/thoroughness.ts'

const RUNS = IS_FULL ? 2_000 : 60
const SESSIONS_MAX = 400
const SYNC_TURNS_MAX = 30
const CALL_TURNS_MAX = 4
const CRASH_CHANCE = 0.01
const isTail = (path: string): boolean => isBinlogName(basename(path))
const isCut = ({ name }: DiskCall): boolean => name === 'truncate' || name === 'unlink'

interface CrashPoint {
  readonly disk: MemoryDisk
  readonly published: Published
}

/** A slow disk that fails now and then, below a link that is lost now and then. */
class Turmoil {
  readonly points: CrashPoint[] = []
  /** What must never happen; thrown at the disk, it would be the spool's own failure. */
  readonly broken: unknown[] = []
  writesBesideSync = 0
  failedSyncs = 0
  readonly #random: Random
  readonly #disk: MemoryDisk
  readonly #fixture: SpoolFixture
  readonly #faultChance: number
  readonly #lossChance: number
  #syncedPath: string | null = null
  /** A sync of it failed, and it is not cut yet: a crash here is past saving (FORMAT.md). */
  #doubtedPath: string | null = null

  constructor(disk: MemoryDisk, fixture: SpoolFixture, seed: number, random: Random) {
    this.#random = random
    this.#disk = disk
    this.#fixture = fixture
    this.#faultChance = [0, 0.01, 0.05][seed % 3] ?? 0
    this.#lossChance = [0, 0.02, 0.08][Math.floor(seed / 3) % 3] ?? 0
    disk.before = (call) => this.#before(call)
  }

  end(): void {
    this.#disk.before = () => undefined
  }

  async #before(call: DiskCall): Promise<Fault> {
    const isSync = call.name === 'datasync' && isTail(call.path)
    if (call.isChange && this.#doubtedPath === null && this.#random() < CRASH_CHANCE) {
      const published = this.#fixture.spool.files().map((file) => ({ ...file }))
      this.points.push({ disk: this.#disk.afterKill(), published })
    }
    if (this.#syncedPath !== null) {
      if (isSync) this.broken.push(new Error('two syncs at once'))
      if (isCut(call) && call.path === this.#syncedPath)
        this.broken.push(new Error('cut in a sync'))
      if (call.name === 'writev') this.writesBesideSync += 1
    }
    if (isSync) this.#syncedPath = call.path
    await this.#linger(isSync ? SYNC_TURNS_MAX : CALL_TURNS_MAX)
    if (isSync) this.#syncedPath = null
    if (this.#random() < this.#lossChance) this.#loseSession()
    const fault = this.#faultOf(call)
    if (isSync && fault !== undefined) {
      this.failedSyncs += 1
      this.#doubtedPath = call.path
    } else if (isCut(call) && fault === undefined && call.path === this.#doubtedPath) {
      this.#doubtedPath = null
    }
    return fault
  }

  async #linger(turnsMax: number): Promise<void> {
    if (this.#random() < 0.2) return
    for (let turns = Math.floor(this.#random() * turnsMax); turns > 0; turns -= 1) await turn()
  }

  #loseSession(): void {
    this.#fixture.broken.push(new LandbridgeError('ERR_LINK_CLOSED', 'the link was lost'))
  }

  #faultOf({ name, path }: DiskCall): Fault {
    if (this.#random() >= this.#faultChance) return undefined
    if (!isTail(path) && this.#random() > 0.3) return undefined
    if (name === 'writev' && this.#random() < 0.3) {
      return { takes: Math.floor(this.#random() * 300) }
    }
    return { error: this.#random() < 0.5 ? 'EIO' : 'ENOSPC' }
  }
}

describe.each(['mysql', 'mariadb'] as const)('a spool of %s in turmoil', (flavor) => {
  const lineage = recordedLineage(flavor)
  const judge = new SpoolJudge(lineage, SPOOL)

  /** The whole lineage, however many sessions it takes; then each crash on the way, recovered. */
  async function survive(seed: number): Promise<Turmoil> {
    const random = seededRandom(seed * 7_919)
    const disk = new MemoryDisk()
    const retentionBytesMax = seed % 2 === 0 ? null : 7_000
    const fixture = await openSpool(disk, { retentionBytesMax })
    const turmoil = new Turmoil(disk, fixture, seed, random)
    const player = new LineagePlayer(lineage, fixture, random)
    judge.watch(player, disk, fixture.spool, turmoil.broken)
    for (let sessions = 1; !(await player.play()); sessions += 1) {
      if (sessions > SESSIONS_MAX) throw new Error('the stream does not go on')
    }
    turmoil.end()
    // The alarm of a full disk ends when a look finds room.
    for (let looks = 0; looks < 100 && fixture.writer.trouble !== null; looks += 1) {
      await fixture.turn()
    }
    expect(turmoil.broken).toEqual([])
    expect(fixture.writer.trouble).toBeNull()
    expect(fixture.writer.queuedBytes).toBe(0)
    judge.expectComplete(disk, fixture.spool)
    await fixture[Symbol.asyncDispose]()
    for (const point of turmoil.points) await recover(point, { seed, retentionBytesMax }, random)
    return turmoil
  }

  async function recover(
    { disk, published }: CrashPoint,
    options: { readonly seed: number; readonly retentionBytesMax: number | null },
    random: Random,
  ): Promise<void> {
    const outcomes = [ALL_LOST, ALL_KEPT, anyOutcome(random)]
    const lefts = [disk.afterKill(), ...outcomes.map((outcome) => disk.afterPowerLoss(outcome))]
    for (const left of lefts) {
      const onOpened = (spool: SpoolFixture['spool']): void =>
        judge.expectRecovered(left, spool, published)
      await runSpool(lineage, left, { ...options, onOpened })
    }
  }

  test('keeps all that it acknowledged, and goes on', async () => {
    let [writesBesideSync, failedSyncs, points] = [0, 0, 0]
    for (let seed = SEED * RUNS; seed < (SEED + 1) * RUNS; seed += 1) {
      try {
        const turmoil = await survive(seed)
        writesBesideSync += turmoil.writesBesideSync
        failedSyncs += turmoil.failedSyncs
        points += turmoil.points.length
      } catch (cause) {
        throw new Error(`seed ${seed}: ${cause}`, { cause })
      }
    }
    expect(writesBesideSync).toBeGreaterThan(RUNS)
    expect(failedSyncs).toBeGreaterThan(RUNS / 10)
    expect(points).toBeGreaterThan(RUNS / 10)
  }, 600_000)
})
