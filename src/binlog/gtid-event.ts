import { ByteReader } from '../base/cursor.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { GtidSet } from './gtid-set.ts'
import { MariadbGtidState } from './mariadb-gtid-state.ts'
import { isTag, MysqlGtidSet, uuidFromBytes } from './mysql-gtid-set.ts'

/** The event that opens a transaction, as far as a decision needs it. */
export type GtidEvent = MysqlGtidEvent | MariadbGtidEvent

export interface MysqlGtidEvent {
  readonly flavor: 'mysql'
  /** Null for an anonymous transaction (gtid_mode off). */
  readonly gtid: { readonly uuid: string; readonly tag: string; readonly number: bigint } | null
  /** When the source committed it, microseconds since 1970. */
  readonly commitUs: number
  /** Whole group with this event, in bytes. */
  readonly transactionBytes: number
}

export interface MariadbGtidEvent {
  readonly flavor: 'mariadb'
  readonly gtid: {
    readonly domainId: number
    readonly serverId: number
    readonly sequence: bigint
  }
  /** One statement without BEGIN and COMMIT. */
  readonly standalone: boolean
}

/** No GTID event is longer: the tagged one is largest with a 32 byte tag. */
export const GTID_EVENT_BODY_BYTES_MAX = 512

/** In the highest byte of a commit time's seven. */
const SECOND_TIMESTAMP_BIT = 0x80
const LOGICAL_TIMESTAMP = 2
/** The server gives numbers below 2^63-1. */
const GTID_NUMBER_END = 2n ** 63n - 1n

/**
 * Body of GTID_LOG_EVENT (33) and ANONYMOUS_GTID_LOG_EVENT (34).
 * Layout: flags 1, uuid 16, number 8, then type 1 = 2, last_committed 8, sequence_number 8,
 * immediate commit time 7 (top bit: the original time follows, 7), transaction length lenenc.
 * Source: MySQL libs/mysql/binlog/event/control_events.cpp.
 */
export function decodeMysqlGtidEvent(body: Buffer, anonymous: boolean): MysqlGtidEvent {
  const reader = new ByteReader(body)
  reader.skip(1)
  const uuid = readUuid(reader)
  const number = reader.u64()
  if (reader.u8() !== LOGICAL_TIMESTAMP) refuseOldSource()
  reader.skip(16)
  const low = reader.u48()
  const high = reader.u8()
  if (high & SECOND_TIMESTAMP_BIT) reader.skip(7)
  const transactionBytes = Number(reader.lenencInteger())
  if (!anonymous) checkNumber(number)
  return {
    flavor: 'mysql',
    gtid: anonymous ? null : { uuid, tag: '', number },
    commitUs: (high & ~SECOND_TIMESTAMP_BIT) * 2 ** 48 + low,
    transactionBytes,
  }
}

const UUID_BYTES = 16
const lastUuid = { bytes: Buffer.alloc(UUID_BYTES), text: uuidFromBytes(Buffer.alloc(UUID_BYTES)) }

/** Nearly always that of the event before: its text is made once. */
function readUuid(reader: ByteReader): string {
  const bytes = reader.bytes(UUID_BYTES)
  if (!bytes.equals(lastUuid.bytes)) {
    lastUuid.text = uuidFromBytes(bytes)
    bytes.copy(lastUuid.bytes)
  }
  return lastUuid.text
}

function checkNumber(number: bigint): void {
  if (number >= 1n && number < GTID_NUMBER_END) return
  throw new LandbridgeError('ERR_MALFORMED', `${number} is no GTID number`)
}

function refuseOldSource(): never {
  throw new LandbridgeError(
    'ERR_SOURCE_UNSUPPORTED',
    'the source writes GTID events without a transaction length',
    { remedy: 'Use MySQL 8.4 or newer as the source.' },
  )
}

const TaggedField = {
  Flags: 0,
  Uuid: 1,
  Number: 2,
  Tag: 3,
  LastCommitted: 4,
  SequenceNumber: 5,
  ImmediateCommitTime: 6,
  OriginalCommitTime: 7,
  TransactionLength: 8,
} as const

/**
 * Body of GTID_TAGGED_LOG_EVENT (42): a message of MySQL's serialization library: version, size,
 * last field that must be known, then (field number, value) pairs with variable-length integers.
 * Source: MySQL libs/mysql/serialization/readme.md, control_events.h `Gtid_event::define_fields`.
 */
export function decodeMysqlTaggedGtidEvent(body: Buffer): MysqlGtidEvent {
  const reader = new ByteReader(body)
  readVarlen(reader)
  readVarlen(reader)
  readVarlen(reader)
  let uuid = ''
  let tag = ''
  let number = 0n
  let commitUs = 0
  let transactionBytes = 0
  while (reader.remaining > 0) {
    const field = Number(readVarlen(reader))
    if (field === TaggedField.Flags) readVarlen(reader)
    else if (field === TaggedField.Uuid) uuid = readTaggedUuid(reader)
    else if (field === TaggedField.Number) number = unzigzag(readVarlen(reader))
    else if (field === TaggedField.Tag) tag = reader.text(Number(readVarlen(reader)), 'latin1')
    else if (field === TaggedField.LastCommitted) readVarlen(reader)
    else if (field === TaggedField.SequenceNumber) readVarlen(reader)
    else if (field === TaggedField.ImmediateCommitTime) commitUs = Number(readVarlen(reader))
    else if (field === TaggedField.OriginalCommitTime) readVarlen(reader)
    else if (field === TaggedField.TransactionLength) {
      transactionBytes = Number(readVarlen(reader))
      break
    } else throw new LandbridgeError('ERR_MALFORMED', `tagged GTID event has field ${field}`)
  }
  if (uuid === '' || transactionBytes === 0) {
    throw new LandbridgeError('ERR_MALFORMED', 'tagged GTID event lacks its GTID or its length')
  }
  if (!isTag(tag)) throw new LandbridgeError('ERR_MALFORMED', 'a GTID event has an odd tag')
  checkNumber(number)
  return { flavor: 'mysql', gtid: { uuid, tag, number }, commitUs, transactionBytes }
}

function readTaggedUuid(reader: ByteReader): string {
  const bytes = Buffer.alloc(16)
  for (let at = 0; at < 16; at += 1) bytes[at] = Number(readVarlen(reader))
  return uuidFromBytes(bytes)
}

/** Trailing one bits of the first byte say how many bytes follow it; the rest is the value. */
function readVarlen(reader: ByteReader): bigint {
  const first = reader.u8()
  let extra = 0
  while (extra < 8 && (first >> extra) & 1) extra += 1
  if (extra === 8) return reader.u64()
  let value = BigInt(first >> (extra + 1))
  for (let at = 0; at < extra; at += 1) {
    value |= BigInt(reader.u8()) << BigInt(8 * at + 7 - extra)
  }
  return value
}

function unzigzag(value: bigint): bigint {
  return value & 1n ? -((value + 1n) >> 1n) : value >> 1n
}

const MARIADB_STANDALONE = 1

/**
 * Body of GTID_EVENT (162): sequence 8, domain 4, flags 1, then parts that no decision needs.
 * Source: MariaDB sql/log_event.cc `Gtid_log_event`.
 */
export function decodeMariadbGtidEvent(body: Buffer, serverId: number): MariadbGtidEvent {
  const reader = new ByteReader(body)
  const sequence = reader.u64()
  const domainId = reader.u32()
  const flags = reader.u8()
  return {
    flavor: 'mariadb',
    gtid: { domainId, serverId, sequence },
    standalone: (flags & MARIADB_STANDALONE) !== 0,
  }
}

/** Adds the event's GTID to a set of the same flavour; an anonymous one adds nothing. */
export function addGtidEvent(set: GtidSet, event: GtidEvent): void {
  if (event.flavor === 'mysql') {
    if (event.gtid === null) return
    const { uuid, tag, number } = event.gtid
    asMysql(set).addParts(uuid, tag, number)
    return
  }
  addMariadbGtid(set, event.gtid)
}

export function addMariadbGtid(set: GtidSet, gtid: MariadbGtidEvent['gtid']): void {
  if (!(set instanceof MariadbGtidState)) throw new TypeError('a MariaDB GTID needs its state')
  const { domainId, serverId, sequence } = gtid
  // After a failover the new source's first file repeats what is held: that sets nothing back.
  const last = set.last(domainId)
  if (last !== undefined && last.sequence >= sequence) return
  set.addParts(domainId, serverId, sequence)
}

function asMysql(set: GtidSet): MysqlGtidSet {
  if (set instanceof MysqlGtidSet) return set
  throw new TypeError('a MySQL GTID needs a MySQL set')
}
