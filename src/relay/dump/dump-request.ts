import { ByteReader } from '../../base/cursor.ts'

/** COM_REGISTER_SLAVE: who the replica says it is. */
export interface Registration {
  readonly serverId: number
  readonly host: string
  readonly port: number
}

/** COM_BINLOG_DUMP or COM_BINLOG_DUMP_GTID as sent. */
export interface DumpCommand {
  readonly serverId: number
  readonly flags: number
  readonly file: string
  readonly position: bigint
  /** Encoded set of COM_BINLOG_DUMP_GTID, null for the other command. */
  readonly gtids: Buffer | null
}

export const DumpFlag = {
  /** End with an EOF packet instead of waiting. */
  NonBlock: 0x01,
  /** MySQL: send heartbeats of the second kind. */
  HeartbeatV2: 0x02,
  /** MariaDB: the same bit asks for ANNOTATE_ROWS events. */
  SendAnnotateRows: 0x02,
} as const

export function decodeRegistration(body: Buffer): Registration {
  const reader = new ByteReader(body)
  const serverId = reader.u32()
  const host = reader.lenencText()
  reader.lenencBytes()
  reader.lenencBytes()
  return { serverId, host, port: reader.u16() }
}

export function decodeDump(body: Buffer): DumpCommand {
  const reader = new ByteReader(body)
  const position = BigInt(reader.u32())
  const flags = reader.u16()
  const serverId = reader.u32()
  return { serverId, flags, file: reader.rest().toString(), position, gtids: null }
}

export function decodeDumpGtid(body: Buffer): DumpCommand {
  const reader = new ByteReader(body)
  const flags = reader.u16()
  const serverId = reader.u32()
  const file = reader.text(reader.u32())
  const position = reader.u64()
  return { serverId, flags, file, position, gtids: reader.bytes(reader.u32()) }
}
