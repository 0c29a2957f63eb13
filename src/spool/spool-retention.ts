import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { FileRemoval } from './file-removal.ts'
import {
  filesToRemove,
  type HeldBack,
  heldBack,
  type RetentionPolicy,
  type RetentionRules,
} from './retention.ts'
import type { SpoolCatalog } from './spool-catalog.ts'
import type { SpoolClaims } from './spool-claims.ts'
import type { SpoolFile } from './spool-file.ts'
import { lineageEnds } from './spool-lineage.ts'

export interface SpoolRetentionOptions {
  readonly policy: RetentionPolicy
  readonly catalog: () => SpoolCatalog
  readonly claims: Pick<SpoolClaims, 'expire' | 'neededFrom' | 'trySave'>
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
    const catalog = this.#options.catalog()
    return catalog.lineage() === null ? null : heldBack(catalog.storedFiles(), this.#rules())
  }

  async #apply(): Promise<readonly SpoolFile[]> {
    const { claims, removal, log } = this.#options
    claims.expire()
    await claims.trySave()
    // The newest file with a boundary stays, whatever was begun behind it: it says what is held.
    const stored = this.#options.catalog().storedFiles()
    const isDue = ({ ordinal }: SpoolFile): boolean => {
      return (
        filesToRemove(this.#options.catalog().storedFiles(), this.#rules())[0]?.ordinal === ordinal
      )
    }
    const removed = await removal.remove(stored, isDue)
    for (const { name: file, bytes } of removed) {
      log.info({ file, bytes }, 'removed a file by retention')
    }
    return removed
  }

  #rules(): RetentionRules {
    const { policy, claims, clock } = this.#options
    const catalog = this.#options.catalog()
    const newest = catalog.newestFile()?.epoch ?? 0
    const endedMs = lineageEnds(catalog.epochs(), newest)
    return { policy, neededFrom: claims.neededFrom(), nowMs: clock.wallMs(), endedMs }
  }
}
