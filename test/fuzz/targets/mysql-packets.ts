import assert from 'node:assert/strict'
import { ByteWriter } from '../../../src/base/cursor.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../../../src/binlog/mysql-gtid-set.ts'
import { Capability } from '../../../src/mysql/capability.ts'
import { PacketDecoder } from '../../../src/mysql/packet-decoder.ts'
import { PacketWriter } from '../../../src/mysql/packet-writer.ts'
import { decodeHandshakeResponse, isSslRequest } from '../../../src/mysql/server-handshake.ts'
import {
  decodeDump,
  decodeDumpGtid,
  decodeRegistration,
} from '../../../src/relay/dump/dump-request.ts'
import { attempt } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { chunksOf } from '../input/chunks.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

const PAYLOAD_BYTES_MAX = 600

const READERS: readonly ((bytes: Buffer) => void)[] = [
  packets,
  (bytes) => {
    if (isSslRequest(bytes)) assert(bytes.length <= 32)
    const { user, authResponse, authPlugin } = decodeHandshakeResponse(bytes)
    // Invalid UTF-8 becomes a mark of three bytes for one.
    assert(user.length + authResponse.length + authPlugin.length <= bytes.length)
  },
  decodeRegistration,
  decodeDump,
  decodeDumpGtid,
]

function decode(pieces: readonly Buffer[]) {
  const decoder = new PacketDecoder({ payloadBytesMax: PAYLOAD_BYTES_MAX })
  const found: { readonly sequence: number; readonly payload: Buffer }[] = []
  const outcome = attempt(() => {
    for (const piece of pieces) {
      decoder.push(piece)
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        found.push(packet)
      }
    }
    return decoder.takeRest()
  })
  return { found, outcome }
}

function packets(bytes: Buffer): void {
  const whole = decode([bytes])
  assert.deepEqual(decode(chunksOf(bytes)), whole)
  const writer = new PacketWriter()
  let at = 0
  for (const { sequence, payload } of whole.found) {
    writer.sequence = sequence
    const framed = writer.frame(payload)
    assert.deepEqual(framed, bytes.subarray(at, at + framed.length))
    at += framed.length
  }
}

const CAPABILITIES = Capability.Protocol41 | Capability.SecureConnection | Capability.PluginAuth

function handshakeResponse(capabilities: number): Buffer {
  const head = new ByteWriter(64)
    .u32(capabilities >>> 0)
    .u32(2 ** 24)
    .u8(45)
    .zeros(23)
  return head.textNul('replica').u8(3).text('abc').textNul('caching_sha2_password').take()
}

function seeds(): Buffer[] {
  const set = encodeMysqlGtidSet(parseMysqlGtidSet('29d14f05-e66c-11f1-a076-02fc00000001:1-5'))
  const framed = new PacketWriter().frameAll([
    Buffer.from('one'),
    Buffer.alloc(0),
    Buffer.alloc(300),
  ])
  const dump = new ByteWriter().u32(4).u16(1).u32(7).text('binlog.000001').take()
  const dumpGtid = new ByteWriter().u16(4).u32(7).u32(0).u64(4).u32(set.length).bytes(set).take()
  const registration = new ByteWriter()
    .u32(7)
    .lenencText('dr')
    .u8(0)
    .u8(0)
    .u16(3306)
    .zeros(8)
    .take()
  return [
    withFlags(0, framed),
    withFlags(1, handshakeResponse(CAPABILITIES)),
    withFlags(1, handshakeResponse(CAPABILITIES | Capability.PluginAuthLenenc | Capability.Ssl)),
    withFlags(1, handshakeResponse(Capability.Protocol41 | Capability.ConnectWithDatabase)),
    withFlags(2, registration),
    withFlags(3, dump),
    withFlags(4, dumpGtid),
  ]
}

function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  READERS[flags % READERS.length]?.(bytes)
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 800,
  seeds: seeds(),
  run,
})
