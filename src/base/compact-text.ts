import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** Below this a text is kept as it is. */
const COMPRESS_LENGTH_MIN = 4 * 1024
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/**
 * A text that is kept for long and rarely read. A log has one for each of thousands of files:
 * what was held before it. With a set of GTIDs of many parts each would be hundreds of kilobytes,
 * and such sets compress to a tenth.
 */
export class CompactText {
  readonly #kept: string | Buffer

  constructor(text: string) {
    const isLong = text.length >= COMPRESS_LENGTH_MIN
    this.#kept = isLong ? zstdCompressSync(Buffer.from(text), OPTIONS) : text
  }

  toString(): string {
    if (typeof this.#kept === 'string') return this.#kept
    return zstdDecompressSync(this.#kept).toString()
  }
}
