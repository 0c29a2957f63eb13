import type { Clock } from '../base/clock.ts'
import type { ClaimName } from '../binlog/log.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'
import type { Claims } from './claims.ts'

/** A replica left out data that it was served. */
export interface LeftOut {
  /** By which settings of its own. */
  readonly settings: string
  /** Wall clock when that was first seen. */
  readonly sinceMs: number
}

/** A replica's claim. `id`: as the relay names it, its server_uuid or `id:` and its server_id. */
export function replicaClaim(id: string): ClaimName {
  return `replica:${id}`
}

/** Null for a claim of another kind. */
export function replicaOf(claim: ClaimName): string | null {
  const prefix = replicaClaim('')
  return claim.startsWith(prefix) ? claim.slice(prefix.length) : null
}

export interface ServedReplicasOptions {
  readonly claims: Claims
  readonly clock: Clock
  /** There is something to save. */
  readonly onChange: () => void
}

/**
 * What the claims of replicas tell beyond what is kept for them. After a reset of the source only
 * the epoch that a replica was last served from says whether its data are of before; so those that
 * nothing is kept for count too.
 */
export class ServedReplicas {
  readonly #options: ServedReplicasOptions
  readonly #leftOut = new Map<ClaimName, LeftOut>()
  #forgotten: number | null = null

  constructor(options: ServedReplicasOptions) {
    this.#options = options
  }

  /**
   * Some replicas that were last served from this epoch, or a newer one, are not remembered; null:
   * all are.
   */
  get forgotten(): number | null {
    return this.#forgotten
  }

  get leftOutBy(): ReadonlyMap<ClaimName, LeftOut> {
    return this.#leftOut
  }

  load(forgotten: number | null, leftOut: ReadonlyMap<ClaimName, LeftOut>): void {
    this.#forgotten = forgotten
    for (const [claim, left] of leftOut) this.#leftOut.set(claim, left)
  }

  /** Raises doubt about whoever is not remembered: it is not served instead. */
  forget(claim: ClaimName, epoch: number): void {
    if (replicaOf(claim) === null) return
    this.#leftOut.delete(claim)
    this.#forgotten = Math.min(this.#forgotten ?? epoch, epoch)
  }

  /** Where the newest lineage began with `epoch`; null while there is only one. */
  standing(id: string, epoch: number | null): ReplicaStanding {
    if (epoch === null) return 'sound'
    const entry = this.#options.claims.entries().get(replicaClaim(id))
    if (entry !== undefined) return entry.epoch < epoch ? 'outdated' : 'sound'
    return this.#forgotten !== null && this.#forgotten < epoch ? 'doubtful' : 'unseen'
  }

  /** Whom something is kept for that was last served from before `epoch`. */
  outdated(epoch: number): string[] {
    return this.#options.claims.list().flatMap(({ claim, epoch: served }) => {
      const id = replicaOf(claim)
      return id !== null && served < epoch ? [id] : []
    })
  }

  /** The place in the order of first service; infinite for one that is not remembered. */
  seniority(id: string): number {
    const at = [...this.#options.claims.entries().keys()].indexOf(replicaClaim(id))
    return at < 0 ? Number.POSITIVE_INFINITY : at
  }

  /** Until a person has detached it; null for none. */
  leftOut(id: string): LeftOut | null {
    return this.#leftOut.get(replicaClaim(id)) ?? null
  }

  /** A replica that is served leaves out data: known until somebody made it anew. True if new. */
  noteLeftOut(id: string, settings: string): boolean {
    const { claims, clock, onChange } = this.#options
    const claim = replicaClaim(id)
    if (!claims.entries().has(claim) || this.#leftOut.has(claim)) return false
    this.#leftOut.set(claim, { settings, sinceMs: clock.wallMs() })
    onChange()
    return true
  }

  /**
   * A person's word that `id` needs nothing, that it has no data of before a reset, and lacks none:
   * it counts as served from `epoch`. False when that says nothing new.
   */
  release(id: string, epoch: number, lineageEpoch: number | null): boolean {
    const { claims } = this.#options
    const claim = replicaClaim(id)
    const standing = this.standing(id, lineageEpoch)
    const isRefused = standing === 'outdated' || standing === 'doubtful'
    const isNews = claims.isHeld(claim) || isRefused || this.leftOut(id) !== null
    if (isNews) {
      this.#leftOut.delete(claim)
      claims.bury(claim, epoch)
    }
    // If it comes back it is a new one.
    claims.forgetProgress(claim)
    return isNews
  }
}
