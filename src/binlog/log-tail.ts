import type { Disk } from '../base/disk.ts'
import type { Flavor } from '../base/flavor.ts'
import { FileScanner, scanOn } from './file-scanner.ts'
import { addGtidEvent } from './gtid-event.ts'
import { type GtidSet, parseGtidSet } from './gtid-set.ts'
import { syncRead } from './sync-read.ts'

export interface LogTailOptions {
  readonly path: string
  readonly disk: Disk
  readonly flavor: Flavor
  readonly gtidsBefore: string
}

/**
 * Follows a binlog file that may still grow, whoever writes it, to the end of its last whole
 * transaction. Memory does not depend on the size of its events.
 */
export class LogTail {
  readonly #options: LogTailOptions
  readonly #gtids: GtidSet
  readonly #scanner: FileScanner
  #bytes = 0
  #stoppedBy: string | null = null

  constructor(options: LogTailOptions) {
    const { flavor, gtidsBefore } = options
    this.#options = options
    this.#gtids = parseGtidSet(flavor, gtidsBefore)
    const start = { offset: 0, checksum: false }
    this.#scanner = new FileScanner(flavor, start, {
      onTransaction: (gtid) => addGtidEvent(this.#gtids, gtid),
      onPreviousGtids: () => undefined,
    })
  }

  /** Whole transactions, synced. */
  get bytes(): number {
    return this.#bytes
  }

  /** Held up to there. */
  get gtids(): GtidSet {
    return this.#gtids
  }

  /** Bytes that were read, the torn end included. */
  get seenBytes(): number {
    return this.#scanner.offset
  }

  /** The code of what cannot be read behind `bytes`; null when there is nothing of that kind. */
  get stoppedBy(): string | null {
    return this.#stoppedBy
  }

  /**
   * Reads what came since, and makes sure that a loss of power could not take it again. Throws
   * ERR_BINLOG_SYNC, and the system's errors.
   */
  async follow(signal: AbortSignal): Promise<void> {
    const { path, disk } = this.#options
    const file = await disk.open(path, 'r')
    try {
      const { size } = await file.stat()
      this.#stoppedBy ??= await scanOn(this.#scanner, file, size, signal)
      if (this.#scanner.boundary === this.#bytes) return
      await syncRead(path, () => file.datasync())
      this.#bytes = this.#scanner.boundary
    } finally {
      await file.close()
    }
  }
}
