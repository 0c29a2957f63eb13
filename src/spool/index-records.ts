import { dirname } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { CatalogState, FileEnd } from './catalog-recovery.ts'
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
  #recorded = new WeakSet<SpoolFile>()
  /** How far the newest record of each file was to reach: a failed one is not tried each time. */
  #reached = new WeakMap<SpoolFile, number>()
  #closed = new WeakSet<SpoolFile>()
  /** Files without a record that will not grow any more. */
  #ends = new Map<SpoolFile, FileEnd>()
  /** Records of removed files, oldest first. */
  #leftovers: string[] = []
  #writing: Promise<void> = Promise.resolve()

  constructor(place: SpoolPlace) {
    this.#place = place
  }

  /** Takes over what recovery found. */
  load({ files, recorded, ends, leftovers }: CatalogState): void {
    this.#recorded = new WeakSet(recorded)
    this.#reached = new WeakMap(files.map((file) => [file, file.bytes]))
    this.#closed = new WeakSet()
    this.#ends = new Map(ends)
    this.#leftovers = [...leftovers]
  }

  has(file: SpoolFile): boolean {
    return this.#recorded.has(file)
  }

  /** Records of removed files are still there. */
  get hasLeftovers(): boolean {
    return this.#leftovers.length > 0
  }

  /** Bytes of `file` behind its newest record. */
  bytesBehind(file: SpoolFile): number {
    return file.bytes - (this.#reached.get(file) ?? 0)
  }

  /** `file` grows again, or still. */
  reopen(file: SpoolFile): void {
    this.#closed.delete(file)
  }

  /** Records the newest file as far as it goes now; `end` is asked when it is written. */
  async checkpoint(file: SpoolFile, end: () => FileEnd): Promise<void> {
    await this.#inTurn(async () => {
      if (file.bytes === 0 || this.#closed.has(file)) return
      await this.#write(file, end(), false)
    })
  }

  async close(file: SpoolFile, end: FileEnd): Promise<void> {
    await this.#inTurn(async () => {
      await this.#write(file, end, true)
      this.#closed.add(file)
      this.#ends.delete(file)
    })
  }

  /** Closed files that have lost their records get them again. */
  async writeMissing(): Promise<void> {
    for (const [file, end] of this.#ends) await this.close(file, end)
  }

  /** `file` is gone. Its record stays until `dropLeftovers`. */
  removed(file: SpoolFile, path: string): void {
    this.#ends.delete(file)
    if (this.has(file)) this.#leftovers.push(path)
  }

  /** The oldest file has a record of its own: those of removed files are not needed any more. */
  async dropLeftovers(): Promise<void> {
    const paths = this.#leftovers
    if (paths.length === 0) return
    for (const path of paths) await this.#place.disk.unlink(path).catch(ignoreMissing)
    for (const folder of new Set(paths.map(dirname))) await this.#place.disk.syncDirectory(folder)
    this.#leftovers = this.#leftovers.filter((path) => !paths.includes(path))
  }

  async #write(file: SpoolFile, end: FileEnd, closed: boolean): Promise<void> {
    this.#reached.set(file, file.bytes)
    await writeIndex(this.#place, file, end.gtidsAfter, end.checksum, closed)
    this.#recorded.add(file)
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(work)
    this.#writing = done.catch(() => undefined)
    await done
  }
}
