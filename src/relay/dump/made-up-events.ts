import { crc32 } from 'node:zlib'
import { ByteWriter } from '../../base/cursor.ts'
import {
  EVENT_CHECKSUM_BYTES,
  EVENT_HEADER_BYTES,
  EventFlag,
  EventType,
} from '../../binlog/event-type.ts'
import type { MariadbGtid } from '../../binlog/mariadb-gtid-state.ts'

/** Events that are in no file: a server makes them up for one connection. */
export interface MadeUpOptions {
  readonly serverId: number
  /** Whether the events around them end with a CRC32. */
  readonly checksum: boolean
}

const U32_MAX = 0xffff_ffff
const GTID_LIST_COUNT_MAX = 0x0fff_ffff
/** In the count of a list: the dump ends here, at the replica's own wish. */
const UNTIL_REACHED = 0x1000_0000

/** Says which file and position the next event is from. */
export function encodeFakeRotate(name: string, position: number, options: MadeUpOptions): Buffer {
  const body = new ByteWriter(64).u64(position).text(name).take()
  return encodeEvent(EventType.Rotate, EventFlag.Artificial, 0, body, options)
}

/** Heartbeat of the second kind (MySQL 8.0.26+): positions of any size. */
export function encodeHeartbeatV2(name: string, position: number, options: MadeUpOptions): Buffer {
  const value = new ByteWriter(16).lenencInteger(position).take()
  const body = new ByteWriter(64).u8(1).lenencText(name).u8(2).lenencBytes(value).u8(0).take()
  return encodeEvent(EventType.MysqlHeartbeatV2, 0, position, body, options)
}

/** The older heartbeat. Beyond 4 GiB only MariaDB can be told, by eight bytes before the name. */
export function encodeHeartbeatV1(name: string, position: number, options: MadeUpOptions): Buffer {
  const writer = new ByteWriter(64)
  if (position > U32_MAX) writer.u64(position)
  const body = writer.text(name).take()
  const shown = position > U32_MAX ? 0 : position
  return encodeEvent(EventType.Heartbeat, 0, shown, body, options)
}

/**
 * Tells a MariaDB replica where it is after transactions were left out for it, or that the place is
 * reached until which it wanted to read.
 */
export function encodeFakeGtidList(
  gtids: readonly MariadbGtid[],
  position: number,
  options: MadeUpOptions & { readonly isUntilReached?: boolean },
): Buffer {
  const flags = options.isUntilReached === true ? UNTIL_REACHED : 0
  const writer = new ByteWriter(64).u32((gtids.length & GTID_LIST_COUNT_MAX) | flags)
  for (const { domainId, serverId, sequence } of gtids) {
    writer.u32(domainId).u32(serverId).u64(sequence)
  }
  const { Artificial } = EventFlag
  return encodeEvent(EventType.MariadbGtidList, Artificial, position, writer.take(), options)
}

function encodeEvent(
  type: number,
  flags: number,
  position: number,
  body: Buffer,
  options: MadeUpOptions,
): Buffer {
  const checksumBytes = options.checksum ? EVENT_CHECKSUM_BYTES : 0
  const size = EVENT_HEADER_BYTES + body.length + checksumBytes
  const writer = new ByteWriter(size).u32(0).u8(type).u32(options.serverId).u32(size)
  writer
    .u32(position % (U32_MAX + 1))
    .u16(flags)
    .bytes(body)
  if (options.checksum) writer.u32(crc32(writer.take()))
  return writer.take()
}
