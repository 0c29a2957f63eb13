import type { Flavor } from '../base/flavor.ts'
import { parseMariadbGtidState } from './mariadb-gtid-state.ts'
import { parseMysqlGtidSet } from './mysql-gtid-set.ts'

/**
 * The GTIDs that somebody holds. For MySQL a set of (uuid[:tag], intervals); for MariaDB the last
 * GTID per domain and server. Mutable: a stream adds one GTID per transaction.
 */
export interface GtidSet {
  readonly flavor: Flavor
  /** Adds one GTID in text form, e.g. `uuid:5`, `uuid:tag:5` or `0-1-5`. */
  add(gtid: string): void
  /** Adds everything that `other` holds. */
  addSet(other: GtidSet): void
  /** True when every transaction of `other` is also in this set. */
  contains(other: GtidSet): boolean
  /** Transactions in this set that `other` does not have. */
  countMissingFrom(other: GtidSet): bigint
  /** What this set has and `other` lacks, as text; empty string when nothing. */
  missingFrom(other: GtidSet): string
  isEmpty(): boolean
  clone(): GtidSet
  /** Canonical text: what the server itself prints. */
  toString(): string
}

/** Reads a set as the server prints it. Throws ERR_GTID_SYNTAX. */
export function parseGtidSet(flavor: Flavor, text: string): GtidSet {
  return flavor === 'mysql' ? parseMysqlGtidSet(text) : parseMariadbGtidState(text)
}
