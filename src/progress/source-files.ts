import { compareBinlogNames } from '../binlog/binlog-name.ts'

export interface BinlogPlace {
  readonly file: string
  readonly offset: number
}

export interface SourceFile {
  readonly name: string
  readonly bytes: number
}

const STARTS_MAX = 10_000

/**
 * Bytes between two places of the source's binlog. Within one file that is a subtraction. Across
 * files it needs their sizes: from the source's own list (`SHOW BINARY LOGS`) where it was given,
 * else from running totals that came with samples, which tell where a file starts once a sample lay
 * in it.
 */
export class SourceFiles {
  #sizes = new Map<string, number>()
  /** Where each file starts, counted from the oldest file the source lists. */
  readonly #starts = new Map<string, number>()

  /** The whole list, replacing the one before. */
  list(files: readonly SourceFile[]): void {
    this.#sizes = new Map(files.map((file) => [file.name, file.bytes]))
  }

  /** `bytesTotal`: bytes from the start of the source's oldest file to `place`. */
  observe(place: BinlogPlace, bytesTotal: number): void {
    const start = bytesTotal - place.offset
    const known = this.#starts.get(place.file)
    if (known !== undefined) {
      // The oldest files were purged in between: the count begins later now.
      if (known !== start) this.#shift(start - known)
      return
    }
    const newestStart = [...this.#starts.values()].at(-1) ?? 0
    if (start < newestStart) this.#starts.clear()
    this.#starts.set(place.file, start)
    if (this.#starts.size > STARTS_MAX) {
      this.#starts.delete(this.#starts.keys().next().value ?? '')
    }
  }

  /** Null when a size in between is unknown or the two are not of one lineage. May be negative. */
  bytesBetween(from: BinlogPlace, to: BinlogPlace): number | null {
    if (from.file === to.file) return to.offset - from.offset
    const order = compareBinlogNames(from.file, to.file)
    if (order === null) return null
    if (order > 0) {
      const back = this.bytesBetween(to, from)
      return back === null ? null : -back
    }
    return this.#bySizes(from, to) ?? this.#byStarts(from, to)
  }

  reset(): void {
    this.#sizes.clear()
    this.#starts.clear()
  }

  #bySizes(from: BinlogPlace, to: BinlogPlace): number | null {
    if (!this.#sizes.has(from.file)) return null
    let bytes = to.offset - from.offset
    for (const [name, size] of this.#sizes) {
      if ((compareBinlogNames(name, from.file) ?? -1) < 0) continue
      if ((compareBinlogNames(name, to.file) ?? 1) >= 0) continue
      bytes += size
    }
    // The last file of a list older than `to` grew after it was listed.
    return this.#sizes.has(to.file) ? bytes : null
  }

  #byStarts(from: BinlogPlace, to: BinlogPlace): number | null {
    const fromStart = this.#starts.get(from.file)
    const toStart = this.#starts.get(to.file)
    if (fromStart === undefined || toStart === undefined) return null
    return toStart + to.offset - fromStart - from.offset
  }

  #shift(by: number): void {
    for (const [file, start] of this.#starts) this.#starts.set(file, start + by)
  }
}
