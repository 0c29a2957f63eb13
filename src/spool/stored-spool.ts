import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { isLandbridgeError } from '../base/errors.ts'
import { Turns } from '../base/turns.ts'
import { isPast, type LogPlace } from '../binlog/log.ts'
import { SpoolCatalog } from './spool-catalog.ts'
import { SpoolReader } from './spool-reader.ts'
import { StoredCatalog } from './stored-catalog.ts'

export interface StoredSpoolOptions {
  readonly directory: string
  readonly clock: Clock
  /** Where the files are; default: the real one. */
  readonly disk?: Disk
  /** How often the folder is looked at while somebody waits. */
  readonly pollMs?: number
}

const POLL_MS = 1_000

/**
 * The reading half of a spool that another process writes, or nobody: without the lock. Empty until
 * the first `refresh`. It keeps nothing from that process's retention: a file that was removed
 * throws ERR_SPOOL_REMOVED when it is opened.
 */
export class StoredSpool extends SpoolReader {
  readonly #options: StoredSpoolOptions
  readonly #shown: { now: SpoolCatalog; readonly replaced: Condition }
  readonly #stored: StoredCatalog
  readonly #turns = new Turns()

  constructor(options: StoredSpoolOptions) {
    const { directory, disk = realDisk } = options
    const shown = { now: SpoolCatalog.empty(), replaced: new Condition() }
    super(directory, disk, shown)
    this.#options = options
    this.#shown = shown
    this.#stored = new StoredCatalog({ directory, disk })
  }

  /** Looks at the folder again. Throws what StoredCatalog.read does; what was known stays then. */
  async refresh({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const release = await this.#turns.take(signal)
    try {
      this.#shown.now = await this.#read(signal)
      this.#shown.replaced.notifyAll()
    } finally {
      release()
    }
  }

  async #read(signal: AbortSignal): Promise<SpoolCatalog> {
    try {
      return await this.#stored.read(signal)
    } catch (error) {
      if (!isLandbridgeError(error) || error.code !== 'ERR_SPOOL_FORMAT') throw error
      // An epoch that is just being begun looks like one whose record was lost.
      return await this.#stored.read(signal)
    }
  }

  override async waitPast(
    place: LogPlace,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock, pollMs = POLL_MS } = this.#options
    while (!isPast(this.end(), place)) {
      await this.refresh(options)
      if (isPast(this.end(), place)) return
      await clock.sleep(pollMs, options)
    }
  }
}
