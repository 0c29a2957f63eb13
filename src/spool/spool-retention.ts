import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { FileRemoval } from './file-removal.ts'
import type { ReplicaPins } from './replica-pins.ts'
import {
  filesToRemove,
  type HeldBack,
  heldBack,
  type RetentionPolicy,
  type RetentionRules,
} from './retention.ts'
import type { SpoolCatalog } from './spool-catalog.ts'
import type { SpoolFile } from './spool-file.ts'
import { lineageEnds } from './spool-lineage.ts'

export interface SpoolRetentionOptions {
  readonly policy: RetentionPolicy
  readonly catalog: SpoolCatalog
  readonly pins: ReplicaPins
  readonly savePins: () => Promise<void>
  readonly removal: FileRemoval
  readonly clock: Clock
  readonly log: Log
}

/** Removes files that nobody needs and the policy lets go, one round at a time. */
export class SpoolRetention {
  readonly #options: SpoolRetentionOptions
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: SpoolRetentionOptions) {
    this.#options = options
  }

  /** Returns what was removed. Needs no room on the disk. */
  async apply(): Promise<readonly SpoolFile[]> {
    const running = this.#running.then(() => this.#apply())
    this.#running = running.catch(() => undefined)
    return await running
  }

  /** What would be removed, were it not of before a reset of the source. */
  heldBack(): HeldBack | null {
    const { catalog } = this.#options
    return catalog.lineage() === null ? null : heldBack(catalog.storedFiles(), this.#rules())
  }

  async #apply(): Promise<readonly SpoolFile[]> {
    const { catalog, pins, savePins, removal, log } = this.#options
    pins.expire(catalog.lineage()?.epoch ?? 0)
    await savePins()
    // The newest file with a boundary stays, whatever was begun behind it: it says what is held.
    const stored = catalog.storedFiles()
    const removed = await removal.remove(filesToRemove(stored, this.#rules()), stored)
    for (const { name: file, bytes } of removed) {
      log.info({ file, bytes }, 'removed a file by retention')
    }
    return removed
  }

  #rules(): RetentionRules {
    const { policy, catalog, pins, clock } = this.#options
    const neededFrom = pins.neededFrom(catalog.lineage()?.epoch ?? 0)
    const newest = catalog.newestFile()?.epoch ?? 0
    const endedMs = lineageEnds(catalog.epochs(), newest)
    return { policy, neededFrom, nowMs: clock.wallMs(), endedMs }
  }
}
