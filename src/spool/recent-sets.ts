import type { Flavor } from '../base/flavor.ts'
import { type GtidSet, parseGtidSet } from '../binlog/gtid-set.ts'

interface Parsed {
  readonly flavor: Flavor
  readonly text: string
  readonly set: GtidSet
}

/**
 * Reads the sets of a chain of files: what is behind a file is what is before the next one, and of
 * thousands of files each set may be large. Sets that it gives must not be changed.
 */
export class RecentSets {
  /** Before a file, and behind it. */
  #recent: readonly Parsed[] = []

  /** Throws ERR_GTID_SYNTAX. */
  parse(flavor: Flavor, text: string): GtidSet {
    const known = this.#recent.find((parsed) => parsed.text === text && parsed.flavor === flavor)
    const parsed = known ?? { flavor, text, set: parseGtidSet(flavor, text) }
    this.#recent = [parsed, ...this.#recent.filter((other) => other !== parsed)].slice(0, 2)
    return parsed.set
  }
}
