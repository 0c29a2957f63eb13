import { crc32 } from 'node:zlib'
import { expect } from 'vitest'
import { ByteWriter } from '../../../src/base/cursor.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../../../src/binlog/mysql-gtid-set.ts'
import type { RelayClient } from './relay-client.ts'

const DUMP = 0x12
const DUMP_GTID = 0x1e

/** Asks for a dump as a MySQL replica does that holds `held`. */
export async function dumpByGtid(
  client: RelayClient,
  held: string,
  options: { readonly flags?: number; readonly uuid?: string; readonly serverId?: number } = {},
): Promise<void> {
  const uuid = options.uuid ?? 'aaaaaaaa-0000-0000-0000-000000000000'
  await client.ok(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`)
  await client.ok('SET @source_binlog_checksum = @@global.binlog_checksum')
  await client.ok('SET @source_heartbeat_period = 2000000000')
  const gtids = encodeMysqlGtidSet(parseMysqlGtidSet(held))
  const body = new ByteWriter()
    .u16(options.flags ?? 2)
    .u32(options.serverId ?? 9)
    .u32(0)
    .u64(4)
  client.command(DUMP_GTID, body.u32(gtids.length).bytes(gtids).take())
}

/** Asks for a dump as a MariaDB replica does that stands at `state`, in strict mode. */
export async function dumpFromState(
  client: RelayClient,
  state: string,
  options: { readonly flags?: number; readonly until?: string } = {},
): Promise<void> {
  await client.ok('SET @master_heartbeat_period= 1000000000')
  await client.ok('SET @master_binlog_checksum= @@global.binlog_checksum')
  await client.ok('SET @mariadb_slave_capability=4')
  await client.ok(`SET @slave_connect_state='${state}'`)
  await client.ok('SET @slave_gtid_strict_mode=1')
  if (options.until !== undefined) await client.ok(`SET @slave_until_gtid='${options.until}'`)
  client.command(
    DUMP,
    new ByteWriter()
      .u32(4)
      .u16(options.flags ?? 2)
      .u32(9)
      .take(),
  )
}

export interface DumpEnd {
  /** Types of the events before it. */
  readonly types: readonly number[]
  /** Of the error packet; null for an EOF packet, undefined when the connection just ended. */
  readonly errno: number | null | undefined
  readonly text: string
}

/** Reads a dump to its end, and checks that no packet is missing in the row of numbers. */
export async function endOf(client: RelayClient): Promise<DumpEnd> {
  const seen: number[] = []
  for (let sequence = 1; ; sequence = (sequence + 1) & 0xff) {
    const packet = await client.next()
    if (packet === undefined) return { types: seen, errno: undefined, text: '' }
    expect(packet.sequence).toBe(sequence)
    const { payload } = packet
    if (payload[0] === 0xfe) return { types: seen, errno: null, text: '' }
    if (payload[0] === 0xff) {
      return { types: seen, errno: payload.readUInt16LE(1), text: payload.toString('utf8', 9) }
    }
    seen.push(payload[5] ?? 0)
  }
}

export interface SeenEvent {
  readonly type: number
  readonly size: number
  readonly body: Buffer
  readonly flags: number
}

/** The next event of a dump, its CRC32 checked; throws what the relay refuses with. */
export async function event(client: RelayClient): Promise<SeenEvent> {
  const payload = await client.need()
  if (payload[0] === 0xff) throw new Error(payload.toString('latin1', 3))
  expect(payload[0]).toBe(0)
  const bytes = payload.subarray(1)
  expect(bytes.readUInt32LE(9)).toBe(bytes.length)
  expect(crc32(bytes.subarray(0, -4))).toBe(bytes.readUInt32LE(bytes.length - 4))
  const [type = 0, size] = [bytes[4], bytes.length]
  return { type, size, body: bytes.subarray(19, -4), flags: bytes.readUInt16LE(17) }
}

export async function types(client: RelayClient, count: number): Promise<number[]> {
  const list: number[] = []
  for (let index = 0; index < count; index += 1) list.push((await event(client)).type)
  return list
}
