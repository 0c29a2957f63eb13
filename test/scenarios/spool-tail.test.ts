import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { ALL_KEPT } from '../helpers/disk/power-loss.ts'
import { type Lineage, recordedLineage } from '../helpers/spool/recorded-lineage.ts'
import { SpoolJudge } from '../helpers/spool/spool-judge.ts'
import { openSpool, runSpool, SPOOL } from '../helpers/spool/spool-run.ts'
import { partOf, SEED } from '../helpers/thoroughness.ts'

const KEEP = { seed: SEED, retentionBytesMax: null }

describe.each(['mysql', 'mariadb'] as const)('the newest file of %s, cut anywhere', (flavor) => {
  const whole = recordedLineage(flavor)
  // The file with transactions of several events, as the first one and alone.
  const lineage: Lineage = { ...whole, files: whole.files.slice(0, 1) }
  const [file] = lineage.files
  if (file === undefined) throw new Error('no file')
  const judge = new SpoolJudge(lineage, SPOOL)
  const path = judge.pathOf(file)

  /** All of the file is stored, and no index record helps. */
  async function stored(): Promise<MemoryDisk> {
    const disk = new MemoryDisk()
    await runSpool(lineage, disk, KEEP)
    const index = `${SPOOL}/000001/index`
    for (const name of await disk.readdir(index)) await disk.unlink(`${index}/${name}`)
    return disk.afterPowerLoss(ALL_KEPT)
  }

  function boundaryBefore(bytes: number): number {
    return file?.boundaries.findLast(({ offset }) => offset <= bytes)?.offset ?? 0
  }

  // Every byte of the last transactions, some of the rest: others with another seed, all in a full
  // run. (Each file alone is cut at every byte in test/unit/spool/recovery.test.ts.)
  const everyByte = Array.from({ length: file.bytes.length }, (_, n) => n)
  const tailStart = file.boundaries.at(-3)?.offset ?? 0
  const ends = [...partOf(everyByte.slice(0, tailStart), 29), ...everyByte.slice(tailStart)]

  test('is cut back to its last whole transaction, and completed again', async () => {
    const good = await stored()
    for (const bytes of ends) {
      const disk = good.afterKill()
      await disk.truncate(path, bytes)
      const fixture = await openSpool(disk, KEEP)
      judge.expectRecovered(disk, fixture.spool, [])
      const kept = boundaryBefore(bytes)
      expect(fixture.spool.end()?.offset ?? 0).toBe(kept)
      if (kept > 0) expect(disk.bytesOf(path).length).toBe(kept)
      await fixture.crash()
      if (bytes % 5 === 0) await runSpool(lineage, disk, KEEP)
    }
  })

  test('is cut back likewise when zeros follow instead of its end', async () => {
    const good = await stored()
    for (const bytes of ends) {
      const disk = good.afterKill()
      await disk.truncate(path, bytes)
      await disk.truncate(path, file.bytes.length)
      // A transaction may end in zeros of its own.
      const same = sameBytes(disk.bytesOf(path), file.bytes)
      const fixture = await openSpool(disk, KEEP)
      judge.expectRecovered(disk, fixture.spool, [])
      expect(fixture.spool.end()?.offset ?? 0).toBe(boundaryBefore(same))
      await fixture.crash()
    }
  })
})

function sameBytes(one: Buffer, other: Buffer): number {
  let at = 0
  while (at < one.length && one[at] === other[at]) at += 1
  return at
}
