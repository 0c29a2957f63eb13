import { dirname } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { CatalogState, ClosedEnd } from './catalog-recovery.ts'
import type { SpoolFile } from './spool-file.ts'
import { type SpoolPlace, writeIndex } from './spool-records.ts'

/**
 * Which stored files have an index record, and how far it reaches. One is written at a time: a
 * checkpoint must not replace the record of a file closed meanwhile.
 *
 * Invariant: the oldest file has a record, or that of the file before it is still there. Else a
 * restart would have to guess its ordinal, which the needs of replicas refer to.
 */
export class IndexRecords {
  readonly #place: SpoolPlace
  #recorded = new Set<number>()
  /** How far the newest record of each file was to reach: a failed one is not tried each time. */
  #reached = new Map<number, number>()
  #closed = new Set<number>()
  /** Files without a record that will not grow any more. */
  #ends = new Map<number, ClosedEnd>()
  /** Records of removed files, oldest first. */
  #leftovers: string[] = []
  #writing: Promise<void> = Promise.resolve()

  constructor(place: SpoolPlace) {
    this.#place = place
  }

  /** Takes over what recovery found. */
  load({ files, recorded, ends, leftovers }: CatalogState): void {
    this.#recorded = new Set(recorded)
    this.#reached = new Map(files.map(({ ordinal, bytes }) => [ordinal, bytes]))
    this.#closed = new Set()
    this.#ends = new Map(ends)
    this.#leftovers = [...leftovers]
  }

  has({ ordinal }: SpoolFile): boolean {
    return this.#recorded.has(ordinal)
  }

  /** Records of removed files are still there. */
  get hasLeftovers(): boolean {
    return this.#leftovers.length > 0
  }

  /** Bytes of `file` behind its newest record. */
  bytesBehind({ ordinal, bytes }: SpoolFile): number {
    return bytes - (this.#reached.get(ordinal) ?? 0)
  }

  /** The file grows again, or still. */
  reopen(ordinal: number): void {
    this.#closed.delete(ordinal)
  }

  /**
   * Records the newest file as far as it goes when it is its turn; `newest` says that then. Not
   * when it is another one by then: that of before is closed, with a record of its own.
   */
  async checkpoint({ ordinal }: SpoolFile, newest: () => ClosedEnd | null): Promise<void> {
    await this.#inTurn(async () => {
      const end = newest()
      if (end?.file.ordinal !== ordinal || this.#closed.has(ordinal)) return
      await this.#write(end, false)
    })
  }

  async close(end: ClosedEnd): Promise<void> {
    const { ordinal } = end.file
    await this.#inTurn(async () => {
      await this.#write(end, true)
      this.#closed.add(ordinal)
      this.#ends.delete(ordinal)
    })
  }

  /** Closed files that have lost their records get them again. */
  async writeMissing(): Promise<void> {
    for (const end of this.#ends.values()) await this.close(end)
  }

  /** `file` is gone. Its record stays until `dropLeftovers`. */
  removed(file: SpoolFile, path: string): void {
    if (this.has(file)) this.#leftovers.push(path)
    this.#ends.delete(file.ordinal)
    this.#recorded.delete(file.ordinal)
    this.#reached.delete(file.ordinal)
    this.#closed.delete(file.ordinal)
  }

  /** The oldest file has a record of its own: those of removed files are not needed any more. */
  async dropLeftovers(): Promise<void> {
    const paths = this.#leftovers
    if (paths.length === 0) return
    for (const path of paths) await this.#place.disk.unlink(path).catch(ignoreMissing)
    for (const folder of new Set(paths.map(dirname))) await this.#place.disk.syncDirectory(folder)
    this.#leftovers = this.#leftovers.filter((path) => !paths.includes(path))
  }

  async #write({ file, gtidsAfter, checksum }: ClosedEnd, closed: boolean): Promise<void> {
    this.#reached.set(file.ordinal, file.bytes)
    await writeIndex(this.#place, file, gtidsAfter, checksum, closed)
    this.#recorded.add(file.ordinal)
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(work)
    this.#writing = done.catch(() => undefined)
    await done
  }
}
