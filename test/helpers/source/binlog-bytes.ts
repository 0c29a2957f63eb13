import { crc32 } from 'node:zlib'
import { BINLOG_MAGIC, EventType } from '../../../src/binlog/event-type.ts'
import type { MariadbGtid } from '../../../src/binlog/mariadb-gtid-state.ts'
import {
  encodeMysqlGtidSet,
  parseMysqlGtidSet,
  uuidToBytes,
} from '../../../src/binlog/mysql-gtid-set.ts'

/** Builds the bytes of binlog files for tests, event by event, with a CRC32 each. */
export class BinlogBytes {
  readonly #parts: Buffer[] = [BINLOG_MAGIC]
  readonly #serverId: number
  size = BINLOG_MAGIC.length

  constructor(options: { readonly serverId?: number; readonly serverVersion?: string } = {}) {
    this.#serverId = options.serverId ?? 1
    const body = Buffer.alloc(2 + 50 + 4 + 1 + 40 + 1)
    body.writeUInt16LE(4, 0)
    body.write(options.serverVersion ?? '9.7.4', 2, 'latin1')
    body.writeUInt32LE(1_700_000_000, 52)
    body.writeUInt8(19, 56)
    body.writeUInt8(1, body.length - 1)
    this.event(EventType.FormatDescription, body)
  }

  event(type: number, body: Buffer, serverId = this.#serverId): this {
    const bytes = Buffer.alloc(19 + body.length + 4)
    bytes.writeUInt32LE(1_700_000_000, 0)
    bytes[4] = type
    bytes.writeUInt32LE(serverId, 5)
    bytes.writeUInt32LE(bytes.length, 9)
    this.size += bytes.length
    bytes.writeUInt32LE(this.size, 13)
    body.copy(bytes, 19)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4)
    this.#parts.push(bytes)
    return this
  }

  previousGtids(text: string): this {
    return this.event(EventType.MysqlPreviousGtids, encodeMysqlGtidSet(parseMysqlGtidSet(text)))
  }

  /** GTID, BEGIN, one event of `bytes`, XID. */
  mysqlTransaction(uuid: string, number: number, bytes = 40): this {
    return this.#mysqlGroup(EventType.MysqlGtid, uuid, number, bytes)
  }

  /** The same without a GTID, as with gtid_mode=OFF. */
  anonymousTransaction(bytes = 40): this {
    const nobody = '00000000-0000-0000-0000-000000000000'
    return this.#mysqlGroup(EventType.MysqlAnonymousGtid, nobody, 0, bytes)
  }

  #mysqlGroup(type: number, uuid: string, number: number, bytes: number): this {
    const head = 1 + 16 + 8 + 17 + 7
    const gtid = Buffer.alloc(head + 3)
    uuidToBytes(uuid).copy(gtid, 1)
    gtid.writeBigUInt64LE(BigInt(number), 17)
    gtid.writeUInt8(2, 25)
    // Commit time in microseconds, then the length of all three events as 0xfc and two bytes.
    gtid.writeUIntLE(1_700_000_000_000_000 % 2 ** 48, 42, 6)
    gtid.writeUInt8(Math.floor(1_700_000_000_000_000 / 2 ** 48), 48)
    gtid.writeUInt8(0xfc, head)
    const eventBytes = 19 + 4
    gtid.writeUInt16LE(3 * eventBytes + gtid.length + bytes + 8, head + 1)
    this.event(type, gtid)
    return this.#body(bytes)
  }

  mariadbTransaction(gtid: MariadbGtid, bytes = 40): this {
    return this.#mariadbGtid(gtid).#body(bytes)
  }

  /** The same without an engine that has transactions: it ends with a COMMIT of its own. */
  mariadbStatement(gtid: MariadbGtid, bytes = 40): this {
    this.#mariadbGtid(gtid).event(EventType.Query, Buffer.alloc(bytes, 7))
    return this.event(
      EventType.Query,
      Buffer.concat([Buffer.alloc(60, 7), Buffer.from('\0COMMIT')]),
    )
  }

  #mariadbGtid(gtid: MariadbGtid): this {
    const body = Buffer.alloc(19)
    body.writeBigUInt64LE(gtid.sequence, 0)
    body.writeUInt32LE(gtid.domainId, 8)
    return this.event(EventType.MariadbGtid, body, gtid.serverId)
  }

  gtidList(...gtids: readonly MariadbGtid[]): this {
    const body = Buffer.alloc(4 + 16 * gtids.length)
    body.writeUInt32LE(gtids.length, 0)
    for (const [index, { domainId, serverId, sequence }] of gtids.entries()) {
      body.writeUInt32LE(domainId, 4 + 16 * index)
      body.writeUInt32LE(serverId, 8 + 16 * index)
      body.writeBigUInt64LE(sequence, 12 + 16 * index)
    }
    return this.event(EventType.MariadbGtidList, body)
  }

  #body(bytes: number): this {
    this.event(EventType.TableMap, Buffer.alloc(bytes, 7))
    return this.event(EventType.Xid, Buffer.alloc(8))
  }

  rotate(next: string): this {
    const body = Buffer.alloc(8 + next.length)
    body.writeBigUInt64LE(4n, 0)
    body.write(next, 8, 'latin1')
    return this.event(EventType.Rotate, body)
  }

  take(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
