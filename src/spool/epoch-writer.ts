import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import { DISK_RETRY_MS, type DiskTrouble } from './disk-trouble.ts'
import type { EpochSource } from './spool-file.ts'
import type { EpochBeginning } from './spool-lineage.ts'
import type { SpoolStore } from './spool-store.ts'

export interface EpochWriterOptions {
  readonly store: Pick<SpoolStore, 'beginEpoch' | 'renewSource'>
  readonly trouble: DiskTrouble
  readonly clock: Clock
}

/** Begins epochs, and says in the trouble of the disk why one cannot begin. */
export class EpochWriter {
  readonly #options: EpochWriterOptions

  constructor(options: EpochWriterOptions) {
    this.#options = options
  }

  /** Waits while the disk has no room for its record; `signal` gives it up. */
  async begin(beginning: EpochBeginning, options: { readonly signal: AbortSignal }): Promise<void> {
    const { store, trouble, clock } = this.#options
    for (;;) {
      try {
        await store.beginEpoch(beginning)
        trouble.over('ERR_DISK_FULL', 'ERR_SPOOL_FLAVOR')
        return
      } catch (error) {
        trouble.metFlavor(error)
        if (!(error instanceof LandbridgeError && error.code === 'ERR_DISK_FULL')) throw error
        await trouble.metFull(error)
        await clock.sleep(DISK_RETRY_MS, options)
      }
    }
  }

  /** Throws ERR_SPOOL_FLAVOR. */
  async renewSource(source: EpochSource): Promise<void> {
    const { store, trouble } = this.#options
    try {
      await store.renewSource(source)
      trouble.over('ERR_SPOOL_FLAVOR')
    } catch (error) {
      trouble.metFlavor(error)
      throw error
    }
  }
}
