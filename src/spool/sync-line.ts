import type { Clock } from '../base/clock.ts'
import { type ScannedBytes, SyncGroup } from './sync-group.ts'
import type { TailWriter } from './tail-writer.ts'

export interface SyncLineOptions {
  readonly clock: Clock
  /** Makes a group durable and publishes it. */
  readonly sync: (group: SyncGroup) => Promise<void>
  /** One has ended, well or not. */
  readonly onEnd: () => void
}

/** While bytes keep coming, they are synced at least this often, by size and by time. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024
const UNSYNCED_MS_MAX = 50

/**
 * One sync at a time, while the next group is written.
 *
 *     idle ──begin──▶ syncing ──published──▶ idle
 *                        └──failed──▶ its failure waits to be taken
 */
export class SyncLine {
  readonly #options: SyncLineOptions
  /** Written, and not covered by a sync that runs. */
  #unsynced: SyncGroup | null = null
  /** Settles when it is published, or when `#failure` says why not. */
  #syncing: Promise<void> | null = null
  #syncingMs: number | null = null
  #failure: { readonly cause: unknown } | null = null

  constructor(options: SyncLineOptions) {
    this.#options = options
  }

  get isSyncing(): boolean {
    return this.#syncing !== null
  }

  get hasFailed(): boolean {
    return this.#failure !== null
  }

  /** When the first transaction that is written and not published was committed. */
  get firstCommitMs(): number | null {
    return this.#syncingMs ?? this.#unsynced?.firstCommitMs ?? null
  }

  /** `item` was written to `tail`. */
  add(tail: TailWriter, item: ScannedBytes): void {
    if (this.#unsynced !== null) this.#unsynced.add(item)
    else this.#unsynced = new SyncGroup(tail, item, this.#options.clock.monotonicMs())
  }

  /** `isQuiet`: nothing waits to be written. Else what never stops coming must not hold it up. */
  isDue(isQuiet: boolean): boolean {
    const group = this.#unsynced
    if (group === null || this.#syncing !== null) return false
    if (isQuiet || group.bytes >= UNSYNCED_BYTES_MAX) return true
    return this.#options.clock.monotonicMs() - group.sinceMs >= UNSYNCED_MS_MAX
  }

  /** Goes on by itself. */
  begin(): void {
    const group = this.#unsynced
    if (group === null) return
    this.#unsynced = null
    this.#syncingMs = group.firstCommitMs
    this.#syncing = this.#options
      .sync(group)
      .catch((cause: unknown) => {
        this.#failure = { cause }
      })
      .finally(() => {
        this.#syncing = null
        this.#syncingMs = null
        this.#options.onEnd()
      })
  }

  /** Settles when none runs. */
  async idle(): Promise<void> {
    await this.#syncing
  }

  /** Null when none has failed since this was last asked. */
  takeFailure(): { readonly cause: unknown } | null {
    const failure = this.#failure
    this.#failure = null
    return failure
  }

  /** What was written and is not being synced will be cut off. */
  drop(): void {
    this.#unsynced = null
  }
}
