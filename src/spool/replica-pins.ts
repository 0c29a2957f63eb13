import { ignoreMissing } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { Log } from '../base/log.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'
import { PinProgress, type Progress } from './pin-progress.ts'
import {
  damagedPath,
  type LeftOut,
  type ReplicaEntry,
  readReplicas,
  writeReplicas,
} from './replica-file.ts'

/** A stored file, by its place in the order. */
export interface FilePlace {
  readonly ordinal: number
  readonly epoch: number
}

/** What one replica keeps from retention: this file and newer ones. */
export interface ReplicaPin {
  /** As the relay names the replica: its server_uuid, or `id:` and its server_id. */
  readonly id: string
  readonly ordinal: number
  /** Of the file that it was last served; 0: saved before that was noted. */
  readonly epoch: number
  /** How long ago it last made progress, in time that the spool was open. */
  readonly ageMs: number
}

const DAY_MS = 86_400_000
const SAVE_EVERY_MS = 60 * 60_000
/** Many more than a relay lets in at once; most of them are of replicas that are away. */
export const PINS_MAX = 256
/** Replicas that nothing is kept for. One costs 90 bytes on the disk, and is for years. */
export const TOMBSTONES_MAX = 1024
/** Nobody knows which are forgotten: they may be of any epoch. */
const ANY_EPOCH = 0
/** A reader that is no replica is named after its connection. */
const READER = /^connection:/

export interface ReplicaPinsOptions {
  readonly path: string
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** A pin whose replica makes no progress for so long is let go. */
  readonly ageMsMax: number
}

/**
 * Which file (by ordinal) each replica still needs, kept over restarts of the gateway. A replica
 * that nothing is kept for any more leaves a tombstone: after a reset of the source only the epoch
 * that it was last served from tells whether its data are of before.
 */
export class ReplicaPins {
  readonly #options: ReplicaPinsOptions
  readonly #entries = new Map<string, ReplicaEntry>()
  readonly #progress: PinProgress
  /** As in SavedReplicas. */
  #forgotten: number | null = null
  #damagedSinceMs: number | null = null
  #isChanged = false
  #savedMs = 0
  /** One after the other: all write the same temporary file. */
  #saving: Promise<void> = Promise.resolve()

  constructor(options: ReplicaPinsOptions) {
    this.#options = options
    this.#progress = new PinProgress(options.ageMsMax)
  }

  /** A file that could not be read lies aside, since then; null when there is none. */
  get damaged(): { readonly path: string; readonly sinceMs: number } | null {
    const sinceMs = this.#damagedSinceMs
    return sinceMs === null ? null : { path: damagedPath(this.#options.path), sinceMs }
  }

  /**
   * The oldest ordinal needed by replicas of the lineage that began with `epoch`; infinite when
   * nothing is. To those of an earlier one nothing is ever served again.
   */
  neededFrom(epoch: number): number {
    const current = this.list().filter((pin) => pin.epoch >= epoch)
    return Math.min(Number.POSITIVE_INFINITY, ...current.map(({ ordinal }) => ordinal))
  }

  list(): ReplicaPin[] {
    const nowMs = this.#options.clock.wallMs()
    return [...this.#entries].flatMap(([id, { ordinal, epoch, atMs }]) =>
      ordinal === null ? [] : [{ id, ordinal, epoch, ageMs: nowMs - atMs }],
    )
  }

  /** Where the newest lineage began with `epoch`; null while there is only one. */
  standing(id: string, epoch: number | null): ReplicaStanding {
    if (epoch === null) return 'sound'
    const entry = this.#entries.get(id)
    if (entry !== undefined) return entry.epoch < epoch ? 'outdated' : 'sound'
    return this.#forgotten !== null && this.#forgotten < epoch ? 'doubtful' : 'unseen'
  }

  /**
   * Asked before a replica is served for the first time. `set` itself never refuses: whoever is
   * served needs its files, also when somebody released its pin meanwhile.
   */
  hasPlaceFor(id: string): boolean {
    return this.#isPinned(id) || this.list().length < PINS_MAX
  }

  /** The place in the order of first service; infinite for one that is not remembered. */
  seniority(id: string): number {
    const at = [...this.#entries.keys()].indexOf(id)
    return at < 0 ? Number.POSITIVE_INFINITY : at
  }

  /**
   * True for a replica that was not remembered: a save should follow at once. One that makes no
   * progress stays as old as it is, and is not taken again after it was let go.
   */
  set(id: string, { ordinal, epoch }: FilePlace, progress: Progress): boolean {
    const before = this.#entries.get(id)
    const nowMs = this.#options.clock.wallMs()
    const isMoving = this.#progress.note(id, progress, nowMs) || before === undefined
    if (!isMoving && before.ordinal === null) return false
    const atMs = isMoving ? nowMs : before.atMs
    this.#entries.set(id, { ordinal, epoch, atMs, leftOut: before?.leftOut })
    this.#isChanged = true
    return before === undefined && !READER.test(id)
  }

  leftOut(id: string): LeftOut | null {
    return this.#entries.get(id)?.leftOut ?? null
  }

  /** A replica that is served leaves out data: known until somebody made it anew. True if new. */
  noteLeftOut(id: string, settings: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.leftOut !== undefined) return false
    const sinceMs = this.#options.clock.wallMs()
    this.#entries.set(id, { ...entry, leftOut: { settings, sinceMs } })
    this.#isChanged = true
    return true
  }

  /** Of a reader of files: what it had is of no interest later. */
  delete(id: string): void {
    this.#progress.forget(id)
    this.#isChanged = this.#entries.delete(id) || this.#isChanged
  }

  /**
   * A person's word that `id` needs nothing, that it has no data of before a reset, and lacks none:
   * it counts as served from `epoch`. False when that says nothing new.
   */
  release(id: string, epoch: number, lineageEpoch: number | null): boolean {
    const standing = this.standing(id, lineageEpoch)
    const isRefused = standing === 'outdated' || standing === 'doubtful'
    const isNews = this.#isPinned(id) || isRefused || this.leftOut(id) !== null
    if (isNews) this.#bury(id, epoch)
    // If it comes back it is a new one.
    this.#progress.forget(id)
    return isNews
  }

  /**
   * Lets go of what made no progress for too long, and returns it: a replica that was given up must
   * not fill the disk. Not of replicas of a lineage
   * before `epoch`: a person is to be told of them until somebody has made them anew.
   */
  expire(epoch: number): ReplicaPin[] {
    const old = this.list().filter((pin) => {
      return pin.epoch >= epoch && pin.ageMs > this.#options.ageMsMax
    })
    for (const { id, epoch: served, ageMs } of old) {
      this.#bury(id, served, this.#entries.get(id)?.leftOut)
      const days = Math.floor(ageMs / DAY_MS)
      const what = `keeps nothing any more for a replica that made no progress for ${days} days`
      this.#options.log.warn({ replica: id }, what)
    }
    return old
  }

  #isPinned(id: string): boolean {
    return (this.#entries.get(id)?.ordinal ?? null) !== null
  }

  #bury(id: string, epoch: number, leftOut?: LeftOut): void {
    const atMs = this.#entries.get(id)?.atMs ?? this.#options.clock.wallMs()
    if (READER.test(id)) this.#entries.delete(id)
    else this.#entries.set(id, { ordinal: null, epoch, atMs, leftOut })
    this.#isChanged = true
    this.#forgetOldest()
  }

  /** What is forgotten raises doubt about whoever is not remembered: it is not served instead. */
  #forgetOldest(): void {
    const tombstones = [...this.#entries].filter(([, { ordinal }]) => ordinal === null)
    tombstones.sort(([, left], [, right]) => left.atMs - right.atMs)
    for (const [id, { epoch }] of tombstones.slice(0, -TOMBSTONES_MAX)) {
      this.#entries.delete(id)
      this.#progress.forget(id)
      this.#forgotten = Math.min(this.#forgotten ?? epoch, epoch)
    }
  }

  /**
   * A file that is damaged, or missing where a spool `isNew` no more, is no empty one: who was
   * served is not known then.
   */
  async load(isNew: boolean): Promise<void> {
    const nowMs = this.#options.clock.wallMs()
    const saved = await readReplicas(this.#options, nowMs)
    if (saved === 'damaged') await this.#setAside()
    await this.noticeDamage()
    if (this.damaged !== null) {
      const what = 'what replicas were served could not be read, and is kept aside'
      this.#options.log.warn({ code: 'ERR_SPOOL_REPLICAS', path: this.damaged.path }, what)
    }
    if (saved === null || saved === 'damaged') {
      // From now on a missing file means that it was lost.
      this.#isChanged = true
      this.#forgotten = isNew ? null : ANY_EPOCH
      return
    }
    this.#forgotten = saved.forgotten
    // No replica could connect while nothing ran: that time does not count.
    const awayMs = Math.max(0, nowMs - saved.savedAtMs)
    for (const [id, entry] of saved.replicas) {
      if (READER.test(id)) continue
      this.#entries.set(id, { ...entry, atMs: Math.min(nowMs, entry.atMs + awayMs) })
    }
    this.#forgetOldest()
  }

  async #setAside(): Promise<void> {
    const { disk, path } = this.#options
    await disk.rename(path, damagedPath(path))
  }

  /** Until a person has removed what lies aside, the damage is to be told. */
  async noticeDamage(): Promise<void> {
    const { disk, path, clock } = this.#options
    try {
      await disk.stat(damagedPath(path))
      this.#damagedSinceMs ??= clock.wallMs()
    } catch (error) {
      ignoreMissing(error)
      this.#damagedSinceMs = null
    }
  }

  /** Saved pins may lag behind: an older pin only keeps more. */
  async save(): Promise<void> {
    const saving = this.#saving.then(() => this.#save())
    this.#saving = saving.catch(() => undefined)
    await saving
  }

  async #save(): Promise<void> {
    const savedAtMs = this.#options.clock.wallMs()
    const isDue = this.#entries.size > 0 && savedAtMs - this.#savedMs >= SAVE_EVERY_MS
    if (!this.#isChanged && !isDue) return
    this.#isChanged = false
    const saved = { savedAtMs, forgotten: this.#forgotten, replicas: this.#entries }
    try {
      await writeReplicas(this.#options, saved)
      this.#savedMs = savedAtMs
    } catch (error) {
      // The next save must not take what the disk refused for saved.
      this.#isChanged = true
      throw error
    }
  }

  /** The last word before the folder is given up: from here on time does not count. */
  async close(): Promise<void> {
    this.#isChanged ||= this.#entries.size > 0
    await this.save()
  }
}
