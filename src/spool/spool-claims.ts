import { ignoreMissing } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { Log } from '../base/log.ts'
import type { ClaimedFile, ClaimKind, ClaimName, LogClaims } from '../binlog/log.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'
import { damagedPath, readClaims, type SavedClaim, writeClaims } from './claim-file.ts'
import { type Claim, Claims, kindOf } from './claims.ts'
import { type LeftOut, ServedReplicas } from './served-replicas.ts'
import type { SpoolCatalog } from './spool-catalog.ts'
import type { SpoolFile } from './spool-file.ts'
import { type Tolerate, tolerating } from './tolerate.ts'

export interface SpoolClaimsOptions {
  readonly path: string
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** A claim whose consumer makes no progress for so long is let go. */
  readonly ageMsMax: number
  readonly catalog: () => Pick<SpoolCatalog, 'lineage' | 'newestFile' | 'fileFrom' | 'storedFiles'>
}

/** A claim as it is shown. */
export interface ShownClaim extends Claim {
  readonly kind: ClaimKind
  /** The oldest stored file that it keeps; null when there is none any more. */
  readonly file: string | null
  /** Of that file and newer ones: as much may not be removed because of it. */
  readonly bytes: number
}

const SAVE_EVERY_MS = 60 * 60_000
/** Nobody knows which are forgotten: they may be of any epoch. */
const ANY_EPOCH = 0

/** Who still needs what of a spool, and which replicas it ever served: kept in `replicas.json`. */
export class SpoolClaims implements LogClaims {
  readonly #options: SpoolClaimsOptions
  readonly #claims: Claims
  readonly #replicas: ServedReplicas
  readonly #tolerate: Tolerate
  #damagedSinceMs: number | null = null
  #isChanged = false
  #savedMs = 0
  /** One after the other: all write the same temporary file. */
  #saving: Promise<void> = Promise.resolve()

  constructor(options: SpoolClaimsOptions) {
    this.#options = options
    const onChange = (): void => {
      this.#isChanged = true
    }
    this.#claims = new Claims({
      ...options,
      onChange,
      onForgotten: (claim, epoch) => this.#replicas.forget(claim, epoch),
    })
    this.#replicas = new ServedReplicas({ ...options, claims: this.#claims, onChange })
    this.#tolerate = tolerating(options.log)
  }

  hasPlaceFor(claim: ClaimName): boolean {
    return this.#claims.hasPlaceFor(claim)
  }

  confirm(claim: ClaimName, needed: ClaimedFile, reached = needed): void {
    const newest = this.#options.catalog().newestFile()?.ordinal ?? 0
    const progress = { reached: reached.ordinal, newest }
    // A crash must not forget whom this one served first.
    if (this.#claims.confirm(claim, needed, progress)) void this.trySave()
  }

  letGo(claim: ClaimName): void {
    this.#claims.letGo(claim)
  }

  /** Also of those that are not connected. */
  list(): ShownClaim[] {
    const catalog = this.#options.catalog()
    const bytesFrom = bytesKept(catalog.storedFiles())
    return this.#claims.list().map((claim) => {
      const file = catalog.fileFrom(claim.ordinal)?.name ?? null
      return { ...claim, kind: kindOf(claim.claim), file, bytes: bytesFrom(claim.ordinal) }
    })
  }

  /** The oldest ordinal that somebody of the newest lineage needs; infinite when nothing is. */
  neededFrom(): number {
    return this.#claims.neededFrom(this.#lineageEpoch() ?? 0)
  }

  /** Lets go of what made no progress for too long, and returns it. */
  expire(): Claim[] {
    return this.#claims.expire(this.#lineageEpoch() ?? 0)
  }

  standing(replica: string): ReplicaStanding {
    return this.#replicas.standing(replica, this.#lineageEpoch())
  }

  seniority(replica: string): number {
    return this.#replicas.seniority(replica)
  }

  /** Those that are waited for: what stayed away or was detached before a reset is not named. */
  outdatedReplicas(): readonly string[] {
    return this.#replicas.outdated(this.#lineageEpoch() ?? 0)
  }

  /** By which settings a replica left out data, until it was detached; null for none. */
  leftOut(replica: string): LeftOut | null {
    return this.#replicas.leftOut(replica)
  }

  noteLeftOut(replica: string, settings: string): void {
    if (this.#replicas.noteLeftOut(replica, settings)) void this.trySave()
  }

  /**
   * Lets go of what a replica needs, and takes a person's word that it has no data of before a
   * reset of the source. False when that says nothing new.
   */
  async release(replica: string): Promise<boolean> {
    const { catalog, log } = this.#options
    const epoch = catalog().newestFile()?.epoch ?? 0
    if (!this.#replicas.release(replica, epoch, this.#lineageEpoch())) return false
    log.info({ replica }, 'keeps nothing for a replica any more')
    // A crash must not bring back what somebody decided.
    await this.trySave()
    return true
  }

  /** A file that could not be read lies aside, since then; null when there is none. */
  get damaged(): { readonly path: string; readonly sinceMs: number } | null {
    const sinceMs = this.#damagedSinceMs
    return sinceMs === null ? null : { path: damagedPath(this.#options.path), sinceMs }
  }

  /**
   * A file that is damaged, or missing where a spool `isNew` no more, is no empty one: who was
   * served is not known then.
   */
  async load(isNew: boolean): Promise<void> {
    const nowMs = this.#options.clock.wallMs()
    const saved = await readClaims(this.#options, nowMs)
    if (saved === 'damaged') await this.#setAside()
    await this.noticeDamage()
    if (this.damaged !== null) {
      const what = 'what replicas were served could not be read, and is kept aside'
      this.#options.log.warn({ code: 'ERR_SPOOL_REPLICAS', path: this.damaged.path }, what)
    }
    if (saved === null || saved === 'damaged') {
      // From now on a missing file means that it was lost.
      this.#isChanged = true
      this.#replicas.load(isNew ? null : ANY_EPOCH, new Map())
      return
    }
    // No reader is connected to a process that has just begun.
    const lasting = [...saved.claims].filter(([claim]) => kindOf(claim) !== 'reader')
    const leftOut = lasting.flatMap(([claim, entry]) => {
      return entry.leftOut === undefined ? [] : [[claim, entry.leftOut] as const]
    })
    this.#replicas.load(saved.forgotten, new Map(leftOut))
    // Nobody could connect while nothing ran: that time does not count.
    this.#claims.load(new Map(lasting), Math.max(0, nowMs - saved.savedAtMs))
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

  /** Saved claims may lag behind: an older one only keeps more. */
  async save(): Promise<void> {
    const saving = this.#saving.then(() => this.#save())
    this.#saving = saving.catch(() => undefined)
    await saving
  }

  /** The same where the stream can go on without; retention tries again. */
  async trySave(): Promise<void> {
    await this.#tolerate('save who needs what', async () => {
      await this.noticeDamage()
      await this.save()
    })
  }

  async #save(): Promise<void> {
    const savedAtMs = this.#options.clock.wallMs()
    const isDue = this.#claims.entries().size > 0 && savedAtMs - this.#savedMs >= SAVE_EVERY_MS
    if (!this.#isChanged && !isDue) return
    this.#isChanged = false
    try {
      const { forgotten } = this.#replicas
      await writeClaims(this.#options, { savedAtMs, forgotten, claims: this.#toSave() })
      this.#savedMs = savedAtMs
    } catch (error) {
      // The next save must not take what the disk refused for saved.
      this.#isChanged = true
      throw error
    }
  }

  #toSave(): Map<ClaimName, SavedClaim> {
    const { leftOutBy } = this.#replicas
    const lasting = [...this.#claims.entries()].filter(([claim]) => kindOf(claim) !== 'reader')
    return new Map(
      lasting.map(([claim, entry]) => [claim, { ...entry, leftOut: leftOutBy.get(claim) }]),
    )
  }

  /** The last word before the folder is given up: from here on time does not count. */
  async close(): Promise<void> {
    this.#isChanged ||= this.#claims.entries().size > 0
    await this.save()
  }

  /** Where the newest lineage began; null while there is only one. */
  #lineageEpoch(): number | null {
    return this.#options.catalog().lineage()?.epoch ?? null
  }
}

/**
 * Answers how many bytes of `files`, which are in order, are in that ordinal and newer ones. One
 * pass for all: there may be thousands of files, and hundreds of claims.
 */
function bytesKept(files: readonly Pick<SpoolFile, 'ordinal' | 'bytes'>[]) {
  let sum = 0
  const sums = files.toReversed().map(({ ordinal, bytes }) => {
    sum += bytes
    return { ordinal, bytes: sum }
  })
  return (from: number): number => sums.findLast(({ ordinal }) => ordinal >= from)?.bytes ?? 0
}
