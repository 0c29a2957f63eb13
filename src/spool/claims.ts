import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ClaimedFile, ClaimKind, ClaimName } from '../binlog/log.ts'
import { ClaimProgress, type Progress } from './claim-progress.ts'

/** What is remembered of one consumer. */
export interface ClaimEntry {
  /** From this file on it needs what is stored; null: a tombstone, nothing is kept for it. */
  readonly ordinal: number | null
  /** Of the file that it was last served; 0: saved before that was noted. */
  readonly epoch: number
  /** Wall clock when it last made progress. */
  readonly atMs: number
}

/** What one consumer keeps from retention: this file and newer ones. */
export interface Claim {
  readonly claim: ClaimName
  readonly ordinal: number
  readonly epoch: number
  /** How long ago it last made progress, in time that the spool was open. */
  readonly ageMs: number
}

export interface ClaimsOptions {
  readonly clock: Clock
  readonly log: Log
  /** A claim whose consumer makes no progress for so long is let go. */
  readonly ageMsMax: number
  /** There is something to save. */
  readonly onChange: () => void
  /** There are too many tombstones: this one is not in here any more. */
  readonly onForgotten: (claim: ClaimName, epoch: number) => void
}

const DAY_MS = 86_400_000
/** Of each kind: many more than a relay lets in at once; most of them are of who is away. */
export const CLAIMS_MAX = 256
/** Of each kind. One costs 90 bytes on the disk, and is for years. */
export const TOMBSTONES_MAX = 1024

/** Of those who are served by a relay, which serves the newest lineage only. */
const SERVED_KINDS: readonly ClaimKind[] = ['replica', 'reader']

export function kindOf(claim: ClaimName): ClaimKind {
  return claim.slice(0, claim.indexOf(':')) as ClaimKind
}

/**
 * Which file (by ordinal) each consumer still needs. In memory. One that was let go because it made
 * no progress leaves a tombstone, and so is not taken again before it does.
 */
export class Claims {
  readonly #options: ClaimsOptions
  readonly #entries = new Map<ClaimName, ClaimEntry>()
  readonly #progress: ClaimProgress

  constructor(options: ClaimsOptions) {
    this.#options = options
    this.#progress = new ClaimProgress(options.ageMsMax)
  }

  /** In the order in which they were first made, tombstones included. */
  entries(): ReadonlyMap<ClaimName, ClaimEntry> {
    return this.#entries
  }

  list(): Claim[] {
    const nowMs = this.#options.clock.wallMs()
    return [...this.#entries].flatMap(([claim, { ordinal, epoch, atMs }]) =>
      ordinal === null ? [] : [{ claim, ordinal, epoch, ageMs: nowMs - atMs }],
    )
  }

  /**
   * The oldest ordinal that is needed; infinite when nothing is. To replicas and readers of before
   * the lineage that began with `epoch` nothing is ever served again: theirs do not count.
   */
  neededFrom(epoch: number): number {
    const current = this.list().filter((claim) => {
      return claim.epoch >= epoch || !SERVED_KINDS.includes(kindOf(claim.claim))
    })
    return Math.min(Number.POSITIVE_INFINITY, ...current.map(({ ordinal }) => ordinal))
  }

  isHeld(claim: ClaimName): boolean {
    return (this.#entries.get(claim)?.ordinal ?? null) !== null
  }

  /**
   * Asked before a consumer is served for the first time. `confirm` itself never refuses: whoever
   * is served needs its files, also when somebody let its claim go meanwhile.
   */
  hasPlaceFor(claim: ClaimName): boolean {
    if (this.isHeld(claim)) return true
    const kind = kindOf(claim)
    return this.list().filter((other) => kindOf(other.claim) === kind).length < CLAIMS_MAX
  }

  /**
   * True for one that was not remembered: a save should follow at once. One that makes no progress
   * stays as old as it is, and is not taken again after it was let go.
   */
  confirm(claim: ClaimName, { ordinal, epoch }: ClaimedFile, progress: Progress): boolean {
    const before = this.#entries.get(claim)
    const nowMs = this.#options.clock.wallMs()
    const isMoving = this.#progress.note(claim, progress, nowMs) || before === undefined
    if (!isMoving && before.ordinal === null) return false
    this.#set(claim, { ordinal, epoch, atMs: isMoving ? nowMs : before.atMs })
    return before === undefined && kindOf(claim) !== 'reader'
  }

  /** Nothing is remembered of it. */
  letGo(claim: ClaimName): void {
    this.#progress.forget(claim)
    if (this.#entries.delete(claim)) this.#options.onChange()
  }

  /** Keeps nothing for it, and remembers that it was served from `epoch`. */
  bury(claim: ClaimName, epoch: number): void {
    const atMs = this.#entries.get(claim)?.atMs ?? this.#options.clock.wallMs()
    if (kindOf(claim) === 'reader') this.letGo(claim)
    else this.#set(claim, { ordinal: null, epoch, atMs })
    this.#forgetOldest(kindOf(claim))
  }

  /** It counts as a new one when it comes back. */
  forgetProgress(claim: ClaimName): void {
    this.#progress.forget(claim)
  }

  /**
   * Lets go of what made no progress for too long, and returns it: one that was given up must not
   * fill the disk. Not of replicas of a lineage before `epoch`: a person is to be told of them
   * until somebody has made them anew.
   */
  expire(epoch: number): Claim[] {
    const { ageMsMax, log } = this.#options
    const old = this.list().filter(({ claim, epoch: served, ageMs }) => {
      return ageMs > ageMsMax && (served >= epoch || kindOf(claim) !== 'replica')
    })
    for (const { claim, epoch: served, ageMs } of old) {
      this.bury(claim, served)
      const days = Math.floor(ageMs / DAY_MS)
      const what = `keeps nothing any more for a consumer that made no progress for ${days} days`
      log.warn({ claim }, what)
    }
    return old
  }

  /** Takes over what was saved; nobody could make progress for `awayMs` since then. */
  load(saved: ReadonlyMap<ClaimName, ClaimEntry>, awayMs: number): void {
    const nowMs = this.#options.clock.wallMs()
    for (const [claim, { ordinal, epoch, atMs }] of saved) {
      this.#entries.set(claim, { ordinal, epoch, atMs: Math.min(nowMs, atMs + awayMs) })
    }
    for (const kind of new Set([...saved.keys()].map(kindOf))) this.#forgetOldest(kind)
  }

  #set(claim: ClaimName, entry: ClaimEntry): void {
    this.#entries.set(claim, entry)
    this.#options.onChange()
  }

  #forgetOldest(kind: ClaimKind): void {
    const tombstones = [...this.#entries].filter(([claim, { ordinal }]) => {
      return ordinal === null && kindOf(claim) === kind
    })
    tombstones.sort(([, left], [, right]) => left.atMs - right.atMs)
    for (const [claim, { epoch }] of tombstones.slice(0, -TOMBSTONES_MAX)) {
      this.letGo(claim)
      this.#options.onForgotten(claim, epoch)
    }
  }
}
