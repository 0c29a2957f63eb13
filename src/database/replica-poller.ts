import { abortable } from '../base/abortable.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { codeOf, describeError, isAbortError, isLandbridgeError } from '../base/errors.ts'
import type { ReplicaIdentity, ReplicaQueries, Replication } from './replica-queries.ts'

export interface ReplicaPollerOptions {
  readonly clock: Clock
  /** `(signal) => openReplica(login, relay, signal)`, or a stand-in. */
  readonly open: (signal: AbortSignal) => Promise<ReplicaQueries>
  /** Told each answer; `ApplyLag.applied`. */
  readonly onApplied: (gtids: string, identity: ReplicaIdentity) => void
  /** Told how it follows us, each time that it was asked. */
  readonly onReplication: (replication: Replication, identity: ReplicaIdentity) => void
  /** True while the replica lacks something: then it is asked more often. */
  readonly isBehind: () => boolean
}

export interface ReplicaPollerStatus extends Replication {
  readonly state: 'connecting' | 'up' | 'down'
  /** Of the last successful connection: matches this replica to a session of the relay. */
  readonly identity: ReplicaIdentity | null
  readonly appliedGtids: string | null
  readonly answeredAgoMs: number | null
  /** Wall clock when `stopReason` was first seen. */
  readonly stoppedSinceMs: number | null
  /** The same for `filters`. */
  readonly filteredSinceMs: number | null
  /** Why the replica cannot be asked. */
  readonly error: {
    readonly code: string
    readonly message: string
    readonly remedy: string | null
    readonly sinceMs: number
  } | null
}

const IDLE_MS = 1_000
const BEHIND_MS = 100
/** Of a replica with a long set of GTIDs. */
const BEHIND_MS_LONG = 250
/** While it applies: how far it got is then known to this. */
const MOVING_MS = 40
/** A longer set of GTIDs is not asked for so often. */
const OFTEN_CHARACTERS_MAX = 32 * 1024
/** After `nudge` the first questions come faster, so that a short delay is measured as short. */
const NUDGED_MS = 25
const REPLICATION_EVERY_MS = 1_000
const UNKNOWN: Replication = {
  stopReason: null,
  isApplying: false,
  delaySeconds: null,
  remainingDelaySeconds: null,
  filters: null,
}

/**
 * Asks one replica what it has applied: once a second when idle, ten times a second while it is
 * behind, and more often while it moves.
 */
export class ReplicaPoller {
  readonly #options: ReplicaPollerOptions
  readonly #backoff: Backoff
  #state: ReplicaPollerStatus['state'] = 'connecting'
  #identity: ReplicaIdentity | null = null
  #appliedGtids: string | null = null
  #answeredMs: number | null = null
  #replication = UNKNOWN
  #stoppedSinceMs: number | null = null
  #filteredSinceMs: number | null = null
  #error: ReplicaPollerStatus['error'] = null
  #intervalMs = IDLE_MS
  /** Whether its last answer was another one than that before. */
  #isMoving = false
  #isLong = false
  #nudged = new AbortController()

  constructor(options: ReplicaPollerOptions) {
    this.#options = options
    this.#backoff = new Backoff({ clock: options.clock })
  }

  status(): ReplicaPollerStatus {
    const nowMs = this.#options.clock.monotonicMs()
    return {
      state: this.#state,
      identity: this.#identity,
      appliedGtids: this.#appliedGtids,
      answeredAgoMs: this.#answeredMs === null ? null : nowMs - this.#answeredMs,
      ...this.#replication,
      stoppedSinceMs: this.#stoppedSinceMs,
      filteredSinceMs: this.#filteredSinceMs,
      error: this.#error,
    }
  }

  /** Something new was synced: an idle poller asks at once instead of at its next second. */
  nudge(): void {
    if (this.#intervalMs === IDLE_MS) this.#nudged.abort()
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#poll(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#state = 'down'
        const sinceMs = this.#error?.sinceMs ?? this.#options.clock.wallMs()
        const remedy = isLandbridgeError(error) ? (error.remedy ?? null) : null
        this.#error = { code: codeOf(error), message: describeError(error), remedy, sinceMs }
        await this.#backoff.wait({ signal }).catch(ignoreAbort)
      }
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const queries = await this.#options.open(signal)
    try {
      this.#identity = queries.identity
      let askedAtMs = Number.NEGATIVE_INFINITY
      while (!signal.aborted) {
        const nowMs = this.#options.clock.monotonicMs()
        if (nowMs - askedAtMs >= REPLICATION_EVERY_MS) {
          const replication = await abortable(queries.replication(), signal)
          this.#takeReplication(replication, queries.identity)
          askedAtMs = nowMs
        }
        this.#take(await abortable(queries.applied(), signal), queries.identity)
        await this.#pause(signal)
      }
    } finally {
      queries.close()
    }
  }

  #takeReplication(replication: Replication, identity: ReplicaIdentity): void {
    this.#replication = replication
    this.#options.onReplication(replication, identity)
    if (replication.stopReason === null) this.#stoppedSinceMs = null
    else this.#stoppedSinceMs ??= this.#options.clock.wallMs()
    if (!replication.filters?.length) this.#filteredSinceMs = null
    else this.#filteredSinceMs ??= this.#options.clock.wallMs()
  }

  #take(gtids: string, identity: ReplicaIdentity): void {
    this.#state = 'up'
    this.#error = null
    this.#backoff.reset()
    this.#isLong = gtids.length > OFTEN_CHARACTERS_MAX
    this.#isMoving = gtids !== this.#appliedGtids && !this.#isLong
    this.#appliedGtids = gtids
    this.#answeredMs = this.#options.clock.monotonicMs()
    this.#options.onApplied(gtids, identity)
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const behind = this.#options.isBehind()
    this.#intervalMs = behind ? this.#behindMs() : IDLE_MS
    const either = AbortSignal.any([signal, this.#nudged.signal])
    try {
      await this.#options.clock.sleep(this.#intervalMs, { signal: either })
    } catch (error) {
      if (!isAbortError(error) || signal.aborted) throw error
    }
    if (!this.#nudged.signal.aborted) return
    this.#nudged = new AbortController()
    this.#intervalMs = NUDGED_MS
    await this.#options.clock.sleep(NUDGED_MS / 5, { signal })
  }

  #behindMs(): number {
    if (this.#isMoving) return MOVING_MS
    return Math.min(this.#intervalMs * 2, this.#isLong ? BEHIND_MS_LONG : BEHIND_MS)
  }
}

function ignoreAbort(error: unknown): void {
  if (!isAbortError(error)) throw error
}
