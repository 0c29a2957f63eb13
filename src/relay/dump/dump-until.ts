import { type MariadbGtid, MariadbGtidState } from '../../binlog/mariadb-gtid-state.ts'

export interface DumpUntilOptions {
  /** `@slave_until_gtid`: a GTID for each domain that is wanted. */
  readonly places: MariadbGtidState
  /** `@slave_gtid_until_before_gtids`: without the transactions named. */
  readonly isBefore: boolean
}

/**
 * Where a MariaDB replica wants its source to end the dump: `START SLAVE UNTIL master_gtid_pos`,
 * SQL_AFTER_GTIDS and SQL_BEFORE_GTIDS. A replica only asks for it; whoever does not heed it lets
 * the replica run past the place. The server's rule, per domain: send up to the GTID named, leave
 * out what follows, and all of a domain that is not named. The dump ends with the group that was
 * the last one wanted.
 */
export class DumpUntil {
  /** The places that are still to come. */
  readonly #ahead: MariadbGtidState
  readonly #isBefore: boolean
  readonly #passed = new MariadbGtidState()

  constructor(options: DumpUntilOptions) {
    this.#ahead = options.places
    this.#isBefore = options.isBefore
  }

  /** Nothing more is wanted in any domain. */
  get isReached(): boolean {
    return this.#ahead.isEmpty()
  }

  /** What has come by, sent or not. */
  get passed(): MariadbGtid[] {
    return [...this.#passed.all()]
  }

  /** The place of a domain, undefined when it was reached or never named. */
  placeIn(domainId: number): MariadbGtid | undefined {
    return this.#ahead.last(domainId)
  }

  /** Nothing of this domain is wanted. */
  giveUp(domainId: number): void {
    this.#ahead.removeDomain(domainId)
  }

  /** Whether it lies at or before the newest transaction that `serverId` made in a domain. */
  isCoveredBy({ domainId, serverId, sequence }: MariadbGtid): boolean {
    const place = this.placeIn(domainId)
    return place?.serverId === serverId && place.sequence <= sequence
  }

  /** Takes note of the next group; true when it is not wanted. */
  excludes(gtid: MariadbGtid): boolean {
    this.#passed.addParts(gtid.domainId, gtid.serverId, gtid.sequence)
    const place = this.placeIn(gtid.domainId)
    if (place === undefined) return true
    // Another server's transactions of the domain say nothing about the place.
    if (place.serverId !== gtid.serverId || place.sequence > gtid.sequence) return false
    this.giveUp(gtid.domainId)
    // A higher number means that the GTID named is in no file: the place lies before this group.
    return this.#isBefore || gtid.sequence > place.sequence
  }
}
