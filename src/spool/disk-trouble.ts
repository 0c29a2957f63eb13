import type { Clock } from '../base/clock.ts'
import type { Condition } from '../base/condition.ts'
import { describeError, errorFields, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Trouble, type TroubleNow } from '../base/trouble.ts'
import { hasRoom } from './disk-failure.ts'
import type { SpoolStore } from './spool-store.ts'

/** Between two attempts to store something. */
export const DISK_RETRY_MS = 1_000

export interface DiskTroubleOptions {
  readonly store: Pick<SpoolStore, 'directory' | 'disk' | 'applyRetention'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * What keeps bytes from being stored, since when. It is over when a write and a sync went well
 * since it was last met, or when a look finds room.
 */
export class DiskTrouble {
  readonly #options: DiskTroubleOptions
  readonly #trouble: Trouble<LandbridgeError>
  /** A write went well since the trouble was last met: it is over when a sync does as well. */
  #isOvercome = false

  constructor(options: DiskTroubleOptions) {
    this.#options = options
    this.#trouble = new Trouble(options.clock)
  }

  get now(): TroubleNow<LandbridgeError> | null {
    return this.#trouble.now
  }

  get isFull(): boolean {
    return this.#trouble.now?.error.code === 'ERR_DISK_FULL'
  }

  /** Whether a write went well since it was last met. */
  get isOvercome(): boolean {
    return this.#isOvercome
  }

  met(error: LandbridgeError): void {
    this.#isOvercome = false
    if (this.#trouble.met(error) !== 'begun') return
    this.#options.log.error(errorFields(error), describeError(error))
  }

  /** Files that are due may make room at once; the gateway's own round comes later. */
  async metFull(error: LandbridgeError): Promise<void> {
    const isNews = !this.isFull
    this.met(error)
    if (isNews) await this.#options.store.applyRetention()
  }

  /** Ends with the next source that fits, and is shown until then: each session ends at once. */
  metFlavor(error: unknown): void {
    if (error instanceof LandbridgeError && error.code === 'ERR_SPOOL_FLAVOR') this.met(error)
  }

  written(): void {
    this.#isOvercome = true
  }

  /** A sync went well: `mayBeOver` is whether a write had when it began. */
  synced(mayBeOver: boolean): void {
    if (mayBeOver && this.#isOvercome) this.#trouble.over()
  }

  /** Of these codes, whichever it is. */
  over(...codes: readonly string[]): void {
    if (codes.includes(this.#trouble.now?.error.code ?? '')) this.#trouble.over()
  }

  /** Waits a moment, or until `changed`; then whether there is room, which no write shows now. */
  async lookForRoom(changed: Condition, signal: AbortSignal): Promise<boolean> {
    const { clock, store } = this.#options
    const done = new AbortController()
    const options = { signal: AbortSignal.any([signal, done.signal]) }
    try {
      await Promise.race([clock.sleep(DISK_RETRY_MS, options), changed.wait(options)])
    } finally {
      done.abort()
    }
    return await hasRoom(store.directory, store.disk).catch(() => false)
  }
}
