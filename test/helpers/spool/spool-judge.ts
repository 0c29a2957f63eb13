import { join } from 'node:path'
import { expect } from 'vitest'
import { isBinlogName } from '../../../src/binlog/binlog-name.ts'
import type { Spool } from '../../../src/spool/spool.ts'
import type { MemoryDisk } from '../disk/memory-disk.ts'
import type { AckedPoint, LineagePlayer } from './lineage-player.ts'
import type { Lineage, LineageFile } from './recorded-lineage.ts'

/** What a spool served at some moment. */
export type Published = readonly {
  readonly epoch: number
  readonly name: string
  readonly ordinal: number
  readonly bytes: number
}[]

/** Holds a spool in memory against the lineage that it was sent. */
export class SpoolJudge {
  readonly #lineage: Lineage
  readonly #directory: string

  constructor(lineage: Lineage, directory: string) {
    this.#lineage = lineage
    this.#directory = directory
  }

  pathOf({ epoch, name }: { readonly epoch: number; readonly name: string }): string {
    return join(this.#directory, String(epoch).padStart(6, '0'), name)
  }

  /** Adds to `broken` what was acknowledged before it was durable. */
  watch(player: LineagePlayer, disk: MemoryDisk, spool: Spool, broken: unknown[]): void {
    player.onAcked = (acked) => {
      try {
        this.#expectDurable(disk, spool, acked)
      } catch (error) {
        // Thrown here, it would be the writer's own failure.
        broken.push(error)
      }
    }
  }

  /** Acknowledged implies durable: no loss of power could take it any more. */
  #expectDurable(disk: MemoryDisk, spool: Spool, acked: AckedPoint): void {
    const oldest = spool.files()[0] ?? spool.catalog().unpublishedFiles()[0]
    const removed = this.#lineage.files.findIndex((file) => isSameFile(file, oldest))
    for (const [index, file] of this.#lineage.files.entries()) {
      if (index > acked.file) break
      if (index < removed) continue
      const wanted = index < acked.file ? file.bytes.length : acked.bytes
      this.#expectSafe(disk, file, wanted)
    }
  }

  /** Everything that was served is there; all that is there is whole, right and durable. */
  expectRecovered(disk: MemoryDisk, spool: Spool, published: Published): void {
    const files = spool.files()
    for (const { ordinal, ...file } of published) {
      const found = files.find((candidate) => isSameFile(candidate, file))
      expect(found, `${file.epoch}/${file.name} was served`).toBeDefined()
      expect(found?.bytes).toBeGreaterThanOrEqual(file.bytes)
      expect(found?.ordinal, 'what replicas need is kept by ordinal').toBe(ordinal)
    }
    this.#expectStored(disk, spool)
    for (const file of files) this.#expectSafe(disk, this.#fileOf(file), file.bytes)
  }

  /** The whole lineage is there but for what retention removed at its beginning. */
  expectComplete(disk: MemoryDisk, spool: Spool): void {
    this.#expectStored(disk, spool)
    const files = spool.files()
    const wanted = this.#lineage.files.slice(-files.length)
    expect(files.map(({ epoch, name }) => `${epoch}/${name}`)).toEqual(
      wanted.map(({ epoch, name }) => `${epoch}/${name}`),
    )
    for (const [index, file] of files.entries())
      expect(file.bytes).toBe(wanted[index]?.bytes.length)
  }

  #expectStored(disk: MemoryDisk, spool: Spool): void {
    const files = spool.files()
    let ordinal = 0
    let gtids = spool.gtids()
    for (const file of files) {
      const wanted = this.#fileOf(file)
      const boundary = wanted.boundaries.find(({ offset }) => offset === file.bytes)
      expect(boundary, `${file.name} ends at ${file.bytes}, in a transaction`).toBeDefined()
      expect(file.transactions).toBe(boundary?.transactions)
      expect(file.gtidsBefore).toBe(wanted.gtidsBefore)
      expect(file.ordinal).toBeGreaterThan(ordinal)
      ordinal = file.ordinal
      const stored = disk.bytesOf(this.pathOf(file))
      expect(stored.equals(wanted.bytes.subarray(0, stored.length)), `${file.name} differs`).toBe(
        true,
      )
      gtids = boundary?.gtids ?? ''
    }
    expect(spool.gtids()).toBe(gtids)
    this.#expectConnected(spool)
  }

  /** No file is missing between two. */
  #expectConnected(spool: Spool): void {
    const places = spool
      .files()
      .map((file) => this.#lineage.files.findIndex((wanted) => isSameFile(wanted, file)))
    expect(places).toEqual(places.map((_, index) => (places[0] ?? 0) + index))
  }

  #expectSafe(disk: MemoryDisk, file: LineageFile, bytes: number): void {
    if (bytes === 0) return
    const path = this.pathOf(file)
    const safe = disk.files.durable(path)
    const wanted = file.bytes.subarray(0, bytes)
    const isSafe = safe?.subarray(0, bytes).equals(wanted) ?? false
    expect(isSafe, `${path}: ${bytes} bytes are acknowledged, ${safe?.length} are safe`).toBe(true)
    const record = disk.files.durable(join(path, '..', 'epoch.json'))
    expect(record, `the record of epoch ${file.epoch} is not safe`).not.toBeNull()
  }

  #fileOf(file: { readonly epoch: number; readonly name: string }): LineageFile {
    expect(isBinlogName(file.name)).toBe(true)
    const found = this.#lineage.files.find((candidate) => isSameFile(candidate, file))
    if (found === undefined) throw new Error(`${file.epoch}/${file.name} was never sent`)
    return found
  }
}

interface FileName {
  readonly epoch: number
  readonly name: string
}

function isSameFile(one: FileName, other: FileName | undefined): boolean {
  return one.epoch === other?.epoch && one.name === other.name
}
