import { crc32 } from 'node:zlib'
import { expect } from 'vitest'
import { ByteWriter } from '../../src/base/cursor.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../../src/binlog/mysql-gtid-set.ts'
import type { RelayClient } from './relay-client.ts'

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
