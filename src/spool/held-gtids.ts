import type { GtidRuns } from '../binlog/gtid-runs.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'

/** A set that grows, and how it came to be what it is. */
interface GtidLog {
  /** As it was at first. Not to be changed. */
  readonly base: GtidSet
  /** What was added since, in order. */
  readonly added: GtidRuns[]
  /** With all of that; null once another log goes on with it. */
  live: GtidSet | null
}

/** Whoever looks at an older moment adds up at most so much. */
const ADDED_MAX = 4096
const ADDED_RUNS_MAX = 4096

/**
 * The GTIDs that were held at one moment: they never change, and to add to them makes others. A
 * copy of a large set with each sync would take most of a processor, so the moments share one set,
 * which is as it was at the newest; an older one is made again where somebody asks for it.
 */
export class HeldGtids {
  readonly #log: GtidLog
  readonly #count: number
  readonly #runs: number

  private constructor(log: GtidLog, count: number, runs: number) {
    this.#log = log
    this.#count = count
    this.#runs = runs
  }

  /** Takes `set` over. */
  static of(set: GtidSet): HeldGtids {
    return new HeldGtids({ base: set.clone(), added: [], live: set }, 0, 0)
  }

  with(batches: readonly GtidRuns[]): HeldGtids {
    const { live, added } = this.#log
    const isNewest = live !== null && added.length === this.#count
    if (!isNewest) return HeldGtids.of(this.copy()).with(batches)
    for (const batch of batches) batch.addTo(live)
    const runs = this.#runs + batches.reduce((sum, batch) => sum + batch.size, 0)
    if (added.length + batches.length > ADDED_MAX || runs > ADDED_RUNS_MAX) {
      this.#log.live = null
      return HeldGtids.of(live)
    }
    added.push(...batches)
    return new HeldGtids(this.#log, added.length, runs)
  }

  /** To be changed by whoever gets it. */
  copy(): GtidSet {
    const { base, added, live } = this.#log
    if (live !== null && added.length === this.#count) return live.clone()
    const set = base.clone()
    for (const batch of added.slice(0, this.#count)) batch.addTo(set)
    return set
  }

  /** To be read at once, and not to be changed: the next addition may change it. */
  now(): GtidSet {
    const { added, live } = this.#log
    return live !== null && added.length === this.#count ? live : this.copy()
  }

  toString(): string {
    return this.now().toString()
  }
}
