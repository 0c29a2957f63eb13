import { compareBinlogNames } from '../binlog/binlog-name.ts'

export interface BinlogPlace {
  readonly file: string
  readonly offset: number
}

export interface SourceFile {
  readonly name: string
  readonly bytes: number
}

/**
 * Bytes between two places of the source's binlog. Within one file that is a subtraction. Across
 * files it needs their sizes, from the source's own list (`SHOW BINARY LOGS`).
 */
export class SourceFiles {
  #sizes = new Map<string, number>()

  /** The whole list, replacing the one before. */
  list(files: readonly SourceFile[]): void {
    this.#sizes = new Map(files.map((file) => [file.name, file.bytes]))
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
    return this.#bySizes(from, to)
  }

  reset(): void {
    this.#sizes.clear()
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
}
