import type { Flavor } from '../base/flavor.ts'
import { type GtidSet, parseGtidSet } from '../binlog/gtid-set.ts'

/** Parses the same text once: lag compares the same two sets again and again. */
export class GtidText {
  #flavor: Flavor | null = null
  #text: string | null = null
  #set: GtidSet | null = null

  /** Null when there is no text or no flavour to read it by. */
  parse(flavor: Flavor | null, text: string | null): GtidSet | null {
    if (flavor === null || text === null) return null
    if (this.#set === null || text !== this.#text || flavor !== this.#flavor) {
      this.#set = parseGtidSet(flavor, text)
      this.#text = text
      this.#flavor = flavor
    }
    return this.#set
  }
}
