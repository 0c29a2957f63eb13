import { groupOf } from '../../base/doorstep.ts'

export interface PlaceLimits {
  /** Logins that have not asked for a dump, in all and of one address. */
  readonly loginsMax: number
  readonly loginsPerAddressMax: number
  /** Dumps, in all and of one address. */
  readonly dumpsMax: number
  readonly dumpsPerAddressMax: number
}

export interface Place {
  /** Its client has just said something. */
  touch(): void
  /**
   * It asks for a dump. `seniority`: less for whom the store has known for longer. False when it
   * finds no place among the dumps.
   */
  dump(who: { readonly key: string | null; readonly seniority: number }): boolean
  /** It has gone. May be called more than once. */
  leave(): void
}

interface Present extends Place {
  readonly group: string
  readonly letGo: () => void
  dumping: { readonly key: string | null; readonly seniority: number } | null
}

/**
 * The places of those who have logged in. A full house still takes a newcomer. Of logins that do
 * not dump the one that has been silent for longest goes, of the address that has most of them. Of
 * dumps the one goes that the store has known for the shortest time, and only for one that it has
 * known for longer. So nobody who takes many places keeps a replica out that was served before.
 */
export class LoginPlaces {
  readonly #limits: PlaceLimits
  /** The one that was silent for longest comes first. */
  readonly #present = new Set<Present>()

  constructor(limits: PlaceLimits) {
    this.#limits = limits
  }

  /** Null when there is no place. `letGo` has to end the connection soon. */
  enter(address: string, letGo: () => void): Place | null {
    const group = groupOf(address)
    if (!this.#makeRoomForLogin(group)) return null
    const present: Present = {
      group,
      letGo,
      dumping: null,
      touch: () => {
        // Added again, so that the order is by last use.
        if (this.#present.delete(present)) this.#present.add(present)
      },
      dump: (who) => this.#dump(present, who),
      leave: () => void this.#present.delete(present),
    }
    this.#present.add(present)
    return present
  }

  #makeRoomForLogin(group: string): boolean {
    const { loginsMax, loginsPerAddressMax } = this.#limits
    const idle = [...this.#present].filter(({ dumping }) => dumping === null)
    const crowd = crowdOf(idle, group, loginsMax, loginsPerAddressMax)
    if (crowd === null) return true
    return this.#dismiss(crowd[0])
  }

  #dump(newcomer: Present, who: NonNullable<Present['dumping']>): boolean {
    const { dumpsMax, dumpsPerAddressMax } = this.#limits
    // An older dump of the same replica ends anyway.
    const others = [...this.#present].filter(
      ({ dumping }) => dumping !== null && (who.key === null || dumping.key !== who.key),
    )
    const crowd = crowdOf(others, newcomer.group, dumpsMax, dumpsPerAddressMax)
    if (crowd !== null) {
      const [last] = crowd.toSorted((a, b) => rankOf(b) - rankOf(a))
      if (last === undefined || rankOf(last) <= who.seniority) return false
      this.#dismiss(last)
    }
    newcomer.dumping = who
    return true
  }

  #dismiss(present: Present | undefined): boolean {
    if (present === undefined) return false
    this.#present.delete(present)
    present.letGo()
    return true
  }
}

/** One of whom has to go for somebody of `group`; null when there is room. */
function crowdOf(
  present: readonly Present[],
  group: string,
  max: number,
  perAddressMax: number,
): readonly Present[] | null {
  const groups = Map.groupBy(present, (one) => one.group)
  const own = groups.get(group) ?? []
  if (own.length >= perAddressMax) return own
  if (present.length < max) return null
  let busiest: readonly Present[] = own
  for (const others of groups.values()) if (others.length > busiest.length) busiest = others
  return busiest
}

function rankOf({ dumping }: Present): number {
  return dumping?.seniority ?? Number.POSITIVE_INFINITY
}
