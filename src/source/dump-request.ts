import { ByteWriter } from '../base/cursor.ts'
import type { Flavor } from '../base/flavor.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'

const Command = { BinlogDump: 0x12, RegisterReplica: 0x15, BinlogDumpGtid: 0x1e } as const

/** The source ends the dump at its end, and the connection with it. */
const NON_BLOCKING = 1
/** MySQL: heartbeats may carry a 64 bit position. */
const USE_HEARTBEAT_V2 = 2
/** MariaDB: annotate events are sent too; without them byte offsets would drift. */
const SEND_ANNOTATE_ROWS = 2
const FIRST_POSITION = 4
const NANOSECONDS_PER_MS = 1_000_000

/** A slow link must not make the source give up on us: parking does that in good order. */
export const NET_WRITE_TIMEOUT_SECONDS = 3_600

export interface DumpSession {
  readonly flavor: Flavor
  readonly heartbeatMs: number
  /** Our own, as a replica; unlike any other server's. */
  readonly serverId: number
  readonly replicaUuid: string
  /** MariaDB: what is held, sent as session state. Null: the dump goes by file and offset. */
  readonly connectState: string | null
}

/** Statements of a replica before its dump, in the order of the flavour's own replica. */
export function sessionStatements(session: DumpSession): string[] {
  const periodNs = BigInt(session.heartbeatMs) * BigInt(NANOSECONDS_PER_MS)
  const timeout = `SET SESSION net_write_timeout = ${NET_WRITE_TIMEOUT_SECONDS}`
  if (session.flavor === 'mysql') {
    return [
      timeout,
      `SET @master_heartbeat_period = ${periodNs}, @source_heartbeat_period = ${periodNs}`,
      'SET @master_binlog_checksum = @@global.binlog_checksum,' +
        ' @source_binlog_checksum = @@global.binlog_checksum',
      `SET @slave_uuid = '${session.replicaUuid}', @replica_uuid = '${session.replicaUuid}'`,
    ]
  }
  const common = [
    timeout,
    `SET @master_heartbeat_period = ${periodNs}`,
    'SET @master_binlog_checksum = @@global.binlog_checksum',
    'SET @mariadb_slave_capability = 4',
  ]
  if (session.connectState === null) return common
  return [
    ...common,
    `SET @slave_connect_state = '${session.connectState}'`,
    'SET @slave_gtid_strict_mode = 0',
    'SET @slave_gtid_ignore_duplicates = 0',
  ]
}

/** COM_REGISTER_SLAVE: lets the source list us in SHOW REPLICAS. */
export function registerPacket(serverId: number, reportHost: string): Buffer {
  const writer = new ByteWriter(64)
  writer.u8(Command.RegisterReplica).u32(serverId)
  writer.lenencText(reportHost.slice(0, 60)).lenencText('').lenencText('')
  writer.u16(0).u32(0).u32(0)
  return framed(writer.take())
}

/** COM_BINLOG_DUMP_GTID: everything but `gtids`. */
export function mysqlGtidDumpPacket(serverId: number, gtids: string, isProbe = false): Buffer {
  const set = encodeMysqlGtidSet(parseMysqlGtidSet(gtids))
  const writer = new ByteWriter(64 + set.length)
  writer
    .u8(Command.BinlogDumpGtid)
    .u16(USE_HEARTBEAT_V2 | (isProbe ? NON_BLOCKING : 0))
    .u32(serverId)
  writer.u32(0).u64(FIRST_POSITION).u32(set.length).bytes(set)
  return framed(writer.take())
}

/** COM_BINLOG_DUMP: by name and offset, or on MariaDB by the session's connect state. */
export function positionDumpPacket(
  flavor: Flavor,
  serverId: number,
  from: { readonly file: string; readonly offset: number; readonly isProbe?: boolean },
): Buffer {
  const { file, offset, isProbe = false } = from
  const own = flavor === 'mysql' ? USE_HEARTBEAT_V2 : SEND_ANNOTATE_ROWS
  const flags = own | (isProbe ? NON_BLOCKING : 0)
  const writer = new ByteWriter(64 + file.length)
  writer.u8(Command.BinlogDump).u32(Math.max(offset, FIRST_POSITION))
  writer.u16(flags).u32(serverId).text(file)
  return framed(writer.take())
}

function framed(payload: Buffer): Buffer {
  return new ByteWriter(payload.length + 4).u24(payload.length).u8(0).bytes(payload).take()
}
