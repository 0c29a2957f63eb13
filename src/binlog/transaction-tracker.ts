import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import type { EventHeader } from './event-framer.ts'
import { EventType } from './event-type.ts'
import {
  decodeMariadbGtidEvent,
  decodeMysqlGtidEvent,
  decodeMysqlTaggedGtidEvent,
  GTID_EVENT_BODY_BYTES_MAX,
  type GtidEvent,
  type MariadbGtidEvent,
  type MysqlGtidEvent,
} from './gtid-event.ts'

/**
 * Tells where transactions (event groups) begin and end. The two flavours differ: MySQL writes the
 * group's length into its GTID event, MariaDB's group ends with a certain kind of event.
 *
 *     outside ──GTID event──▶ inside ──last event──▶ outside, `completed` is set
 */
export interface TransactionTracker {
  /** How much of this event's body `observe` wants to see. */
  captureBytes(header: EventHeader): number
  /** `startOffset` is where the event begins in its file. Call once per event, in order. */
  observe(header: EventHeader, body: Buffer, startOffset: number): void
  readonly isInside: boolean
  /**
   * How many bytes from `offset`, where an event begins, hold only events of the open transaction
   * that decide nothing, besides those whose type says otherwise. 0: `observe` the next one.
   */
  quietBytes(offset: number): number
  /** The transaction that the last observed event completed, else null. */
  readonly completed: GtidEvent | null
  /** The transaction that is open; null outside. */
  readonly open: GtidEvent | null
  /** Forgets an open group: the file ended or the connection was cut. */
  reset(): void
}

export function createTransactionTracker(flavor: Flavor): TransactionTracker {
  return flavor === 'mysql' ? new MysqlTransactionTracker() : new MariadbTransactionTracker()
}

class MysqlTransactionTracker implements TransactionTracker {
  completed: GtidEvent | null = null
  #open: MysqlGtidEvent | null = null
  #endOffset = 0

  get isInside(): boolean {
    return this.#open !== null
  }

  get open(): GtidEvent | null {
    return this.#open
  }

  quietBytes(offset: number): number {
    return this.#open === null ? 0 : this.#endOffset - offset
  }

  captureBytes(header: EventHeader): number {
    return isMysqlGtid(header.type) ? GTID_EVENT_BODY_BYTES_MAX : 0
  }

  observe(header: EventHeader, body: Buffer, startOffset: number): void {
    this.completed = null
    if (isMysqlGtid(header.type)) {
      this.#open =
        header.type === EventType.MysqlTaggedGtid
          ? decodeMysqlTaggedGtidEvent(body)
          : decodeMysqlGtidEvent(body, header.type === EventType.MysqlAnonymousGtid)
      this.#endOffset = startOffset + this.#open.transactionBytes
      return
    }
    if (this.#open === null) return
    const endOffset = startOffset + header.size
    if (endOffset < this.#endOffset) return
    if (endOffset > this.#endOffset) {
      throw new LandbridgeError(
        'ERR_TRANSACTION_LENGTH',
        `a transaction announced to end at ${this.#endOffset} runs to ${endOffset}`,
      )
    }
    this.completed = this.#open
    this.#open = null
  }

  reset(): void {
    this.#open = null
    this.completed = null
  }
}

function isMysqlGtid(type: number): boolean {
  return (
    type === EventType.MysqlGtid ||
    type === EventType.MysqlAnonymousGtid ||
    type === EventType.MysqlTaggedGtid
  )
}

/** A COMMIT or ROLLBACK query event is small; a larger query is something else. */
const COMMIT_QUERY_BODY_BYTES_MAX = 4096
const COMMIT = Buffer.from('\0COMMIT')
const ROLLBACK = Buffer.from('\0ROLLBACK')
const CHECKSUM_BYTES = 4

class MariadbTransactionTracker implements TransactionTracker {
  completed: GtidEvent | null = null
  #open: MariadbGtidEvent | null = null

  get isInside(): boolean {
    return this.#open !== null
  }

  get open(): GtidEvent | null {
    return this.#open
  }

  quietBytes(_offset: number): number {
    return this.#open === null || this.#open.standalone ? 0 : Number.POSITIVE_INFINITY
  }

  captureBytes(header: EventHeader): number {
    if (header.type === EventType.MariadbGtid) return GTID_EVENT_BODY_BYTES_MAX
    const mayCommit = header.type === EventType.Query && header.size < COMMIT_QUERY_BODY_BYTES_MAX
    return mayCommit ? header.size : 0
  }

  observe(header: EventHeader, body: Buffer, _startOffset: number): void {
    this.completed = null
    if (header.type === EventType.MariadbGtid) {
      this.#open = decodeMariadbGtidEvent(body, header.serverId)
      return
    }
    if (this.#open === null || isBetweenGroups(header.type)) return
    const ends = this.#open.standalone
      ? !isPartOfStandaloneGroup(header.type)
      : endsTransaction(header.type, body)
    if (!ends) return
    this.completed = this.#open
    this.#open = null
  }

  reset(): void {
    this.#open = null
    this.completed = null
  }
}

/** Events that precede the one which ends a stand-alone group (MariaDB sql/log_event.h). */
function isPartOfStandaloneGroup(type: number): boolean {
  return (
    type === EventType.IntVar ||
    type === EventType.Rand ||
    type === EventType.UserVar ||
    type === EventType.TableMap ||
    type === EventType.MariadbAnnotateRows
  )
}

function isBetweenGroups(type: number): boolean {
  return (
    type === EventType.Stop ||
    type === EventType.Rotate ||
    type === EventType.FormatDescription ||
    type === EventType.MariadbBinlogCheckpoint ||
    type === EventType.MariadbGtidList ||
    type === EventType.MariadbStartEncryption
  )
}

function endsTransaction(type: number, body: Buffer): boolean {
  if (type === EventType.Xid || type === EventType.XaPrepare) return true
  if (type !== EventType.Query) return false
  // The server's own rule: the query is the last thing in the event, after a NUL that ends the
  // database name. With a checksum behind it or not, both are tried.
  return [0, CHECKSUM_BYTES].some((tail) => {
    const text = body.subarray(0, Math.max(0, body.length - tail))
    return endsWith(text, COMMIT) || endsWith(text, ROLLBACK)
  })
}

function endsWith(bytes: Buffer, tail: Buffer): boolean {
  return bytes.length >= tail.length && bytes.subarray(-tail.length).equals(tail)
}
