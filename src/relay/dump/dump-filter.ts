import { EVENT_HEADER_BYTES, EventType } from '../../binlog/event-type.ts'
import { decodeMariadbGtidEvent, decodeMysqlTaggedGtidEvent } from '../../binlog/gtid-event.ts'
import {
  formatMariadbGtid,
  type MariadbGtid,
  MariadbGtidState,
  parseMariadbGtidState,
} from '../../binlog/mariadb-gtid-state.ts'
import { type MysqlGtidSet, parseMysqlGtidSet, uuidFromBytes } from '../../binlog/mysql-gtid-set.ts'
import { anonymousRefusal, dumpRefusal } from './dump-refusal.ts'
import type { DumpUntil } from './dump-until.ts'

/** Decides which transactions a replica gets. Asked once per GTID event, in file order. */
export interface DumpFilter {
  /**
   * Whether the group is left out. `event` is the GTID event, or its first 500 bytes. Throws when
   * the replica can never go on.
   */
  isHeld(event: Buffer): boolean
  /** The dump ends with the group last asked about; before any, with the file's first event. */
  readonly isLast: boolean
  /** What to say at such an end. */
  lastReport(): readonly MariadbGtid[]
  /** The files of another epoch follow. `held`: what was sent of it already, or need not be. */
  enterEpoch(held: string): void
  /** Called before something is sent after a run of held transactions; what to say about it. */
  takeSkipReport(): SkipReport
  /** Called when everything stored was looked at. Throws when the replica can never go on. */
  caughtUp(): void
}

export type SkipReport =
  | { readonly kind: 'none' }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'gtid-list'; readonly gtids: readonly MariadbGtid[] }

const NOTHING: SkipReport = { kind: 'none' }
const HEARTBEAT: SkipReport = { kind: 'heartbeat' }
const UUID_AT = EVENT_HEADER_BYTES + 1
const UUID_BYTES = 16

/** Sends everything: a reader of files, not a replica. */
export const sendAll: DumpFilter = {
  isHeld: () => false,
  isLast: false,
  lastReport: () => [],
  enterEpoch() {},
  takeSkipReport: () => NOTHING,
  caughtUp() {},
}

export class MysqlDumpFilter implements DumpFilter {
  readonly isLast = false
  #held: MysqlGtidSet
  readonly #lastUuidBytes = Buffer.alloc(UUID_BYTES)
  #lastUuid = ''

  constructor(held: MysqlGtidSet) {
    this.#held = held
  }

  isHeld(event: Buffer): boolean {
    const type = event[4]
    if (type === EventType.MysqlAnonymousGtid) {
      throw anonymousRefusal('that come next')
    }
    if (type === EventType.MysqlTaggedGtid) {
      const { gtid } = decodeMysqlTaggedGtidEvent(event.subarray(EVENT_HEADER_BYTES))
      return gtid !== null && this.#held.hasParts(gtid.uuid, gtid.tag, gtid.number)
    }
    const number = event.readBigUInt64LE(UUID_AT + UUID_BYTES)
    return this.#held.hasParts(this.#uuid(event), '', number)
  }

  enterEpoch(held: string): void {
    this.#held = this.#held.clone()
    this.#held.addSet(parseMysqlGtidSet(held))
  }

  /** Almost every transaction is from the same server: its text is made once. */
  #uuid(event: Buffer): string {
    if (this.#lastUuidBytes.compare(event, UUID_AT, UUID_AT + UUID_BYTES) !== 0) {
      event.copy(this.#lastUuidBytes, 0, UUID_AT, UUID_AT + UUID_BYTES)
      this.#lastUuid = uuidFromBytes(this.#lastUuidBytes)
    } else if (this.#lastUuid === '') this.#lastUuid = uuidFromBytes(this.#lastUuidBytes)
    return this.#lastUuid
  }

  takeSkipReport(): SkipReport {
    return HEARTBEAT
  }

  lastReport(): readonly MariadbGtid[] {
    return []
  }

  caughtUp(): void {}
}

export interface MariadbFilterOptions {
  /** Where the replica stands in each domain of which something is to be left out. */
  readonly start: MariadbGtidState
  readonly strict: boolean
  /** What was stored at the start: places in its domains have been looked at. */
  readonly known: MariadbGtidState
  /** What is stored now: asked when another domain appears. */
  readonly stored: () => MariadbGtidState
  /** Where the replica wants the dump to end; null for never. */
  readonly until: DumpUntil | null
}

/**
 * MariaDB's rule per domain: leave out transactions until the one that the replica names has been
 * seen (or a later one of the same server), then send everything.
 */
export class MariadbDumpFilter implements DumpFilter {
  readonly #start: MariadbGtidState
  readonly #strict: boolean
  readonly #stored: () => MariadbGtidState
  readonly #until: DumpUntil | null
  readonly #checked: Set<number>
  /** What was left out so far. */
  readonly #seen = new MariadbGtidState()
  /** What earlier epochs brought, per domain until something newer has come. */
  #repeated = new MariadbGtidState()
  #isReached = false

  constructor(options: MariadbFilterOptions) {
    this.#start = options.start
    this.#strict = options.strict
    this.#stored = options.stored
    this.#checked = new Set(options.known.position().map(({ domainId }) => domainId))
    this.#until = options.until
  }

  isHeld(event: Buffer): boolean {
    const until = this.#until
    if (this.#start.size === 0 && this.#repeated.size === 0 && until === null) return false
    const serverId = event.readUInt32LE(5)
    const { gtid } = decodeMariadbGtidEvent(event.subarray(EVENT_HEADER_BYTES), serverId)
    // Each of the three takes note of what passes, so all are asked.
    const isRepeated = this.#isRepeated(gtid)
    const isBeforeStart = this.#isBeforeStart(gtid)
    const isExcluded = until?.excludes(gtid) ?? false
    return isRepeated || isBeforeStart || isExcluded
  }

  get isLast(): boolean {
    return this.#until?.isReached ?? false
  }

  lastReport(): readonly MariadbGtid[] {
    return this.#until?.passed ?? []
  }

  enterEpoch(held: string): void {
    this.#repeated = parseMariadbGtidState(held)
  }

  /**
   * A source that took over continues the numbers of each domain, so what it repeats is not above
   * the number held. The GTID held itself, or a higher number, ends the repeating: it may also lie
   * before the file, or never have been in this server's files at all.
   */
  #isRepeated(gtid: MariadbGtid): boolean {
    const held = this.#repeated.last(gtid.domainId)
    if (held === undefined) return false
    const isPast = gtid.sequence > held.sequence
    const isHeldItself = gtid.serverId === held.serverId && gtid.sequence === held.sequence
    if (isPast || isHeldItself) this.#repeated.removeDomain(gtid.domainId)
    return !isPast
  }

  #isBeforeStart(gtid: MariadbGtid): boolean {
    const { serverId } = gtid
    const start = this.#start.last(gtid.domainId)
    if (start === undefined) return false
    this.#check(start)
    const isSameServer = serverId === start.serverId
    const isHeld = !isSameServer || gtid.sequence <= start.sequence
    if (isSameServer && gtid.sequence >= start.sequence) {
      if (this.#strict && gtid.sequence > start.sequence) {
        throw dumpRefusal(
          `${formatMariadbGtid(start)} is missing in the stored binlog although later ` +
            'transactions are there, and gtid_strict_mode is on at the replica',
        )
      }
      this.#start.removeDomain(gtid.domainId)
      this.#isReached = true
    }
    if (isHeld) this.#seen.addParts(gtid.domainId, serverId, gtid.sequence)
    return isHeld
  }

  /** A position in a domain that was not stored at the start may turn out to be a stranger. */
  #check(start: MariadbGtid): void {
    if (this.#checked.has(start.domainId)) return
    this.#checked.add(start.domainId)
    const newest = this.#stored().last(start.domainId)
    if (newest === undefined || newest.sequence < start.sequence) throw unknownPosition(start)
  }

  takeSkipReport(): SkipReport {
    if (!this.#isReached) return NOTHING
    this.#isReached = false
    return { kind: 'gtid-list', gtids: [...this.#seen.all()] }
  }

  caughtUp(): void {
    for (const start of this.#start.position()) {
      // Its domain was looked through up to a later transaction, and it was not there. A file
      // that repeats what is held may end before it: then it is still to come.
      const seen = this.#seen.last(start.domainId)
      if (seen !== undefined && seen.sequence >= start.sequence) throw unknownPosition(start)
    }
  }
}

export function unknownPosition(gtid: MariadbGtid): Error {
  return dumpRefusal(
    `the replica stands at ${formatMariadbGtid(gtid)}, which the source never wrote or which is ` +
      'not stored: it has diverged. Make the replica anew from a backup of the source',
  )
}
