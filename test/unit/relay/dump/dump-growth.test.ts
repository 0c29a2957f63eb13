import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EventType } from '../../../../src/binlog/event-type.ts'
import { parseMysqlGtidSet } from '../../../../src/binlog/mysql-gtid-set.ts'
import { PacketWriter } from '../../../../src/mysql/packet-writer.ts'
import { MysqlDumpFilter } from '../../../../src/relay/dump/dump-filter.ts'
import { DumpStream } from '../../../../src/relay/dump/dump-stream.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'

const FIRST = { ordinal: 1, name: 'b.000001', gtidsBefore: '' }
const SECOND = { ordinal: 2, name: 'b.000002', gtidsBefore: `${SOURCE_UUID}:1-2` }

/** Of a packet: its length, its number, and the byte that says that an event follows. */
const PACKET_HEADER_BYTES = 4
const EVENT_TYPE_AT = PACKET_HEADER_BYTES + 1 + 4
const GTID_NUMBER_AT = PACKET_HEADER_BYTES + 1 + 19 + 17

/** The numbers of the transactions whose packets are in `bytes`. */
function gtidsIn(bytes: Buffer): number[] {
  const gtids: number[] = []
  for (let at = 0; at < bytes.length; at += PACKET_HEADER_BYTES + bytes.readUIntLE(at, 3)) {
    if (bytes.readUInt8(at + EVENT_TYPE_AT) !== EventType.MysqlGtid) continue
    gtids.push(Number(bytes.readBigUInt64LE(at + GTID_NUMBER_AT)))
  }
  return gtids
}

test('what a file got while the replica took its time is sent, and not passed over', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'growth-'))
  const store = new FolderBinlogStore(directory, 'mysql')
  const one = new BinlogBytes().previousGtids('').mysqlTransaction(SOURCE_UUID, 1)
  await store.put(FIRST, one.take(), `${SOURCE_UUID}:1`)
  /** The rest of the first file, and a second one. */
  const grow = async (): Promise<void> => {
    one.mysqlTransaction(SOURCE_UUID, 2).rotate(SECOND.name)
    await store.put(FIRST, one.take(), `${SOURCE_UUID}:1-2`)
    const two = new BinlogBytes().previousGtids(SECOND.gtidsBefore).mysqlTransaction(SOURCE_UUID, 3)
    await store.put(SECOND, two.take(), `${SOURCE_UUID}:1-3`)
  }
  const gtids: number[] = []
  let isFirst = true
  const channel = {
    writer: new PacketWriter(),
    // A heartbeat, alone: the replica has the first transaction, and is told of it so.
    send: async (...payloads: readonly Buffer[]) => {
      if (payloads.length > 1 || !isFirst) return
      isFirst = false
      await grow()
    },
    write: async (bytes: Buffer) => void gtids.push(...gtidsIn(bytes)),
  }
  const [file] = store.files()
  if (file === undefined) throw new TypeError('there is a file')
  const stream = new DumpStream({
    store,
    channel: channel as never,
    clock: new FakeClock(),
    flavor: 'mysql',
    start: {
      file,
      offset: 4,
      filter: new MysqlDumpFilter(parseMysqlGtidSet(`${SOURCE_UUID}:1`)),
      clearCreated: false,
    },
    serverId: 9,
    heartbeatMs: 0,
    heartbeatV2: false,
    sendAnnotateRows: false,
    checksum: true,
    nonBlocking: true,
    onFile: () => undefined,
    beforeNext: () => undefined,
    onProgress: () => undefined,
  } as never)
  try {
    await stream.run(new AbortController().signal)
    expect(isFirst).toBe(false)
    expect(gtids).toEqual([2, 3])
  } finally {
    await rm(directory, { recursive: true })
  }
})
