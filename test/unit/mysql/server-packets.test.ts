import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeEof, encodeOk, encodeServerError } from '../../../src/mysql/ok-packet.ts'
import {
  PACKET_PAYLOAD_MAX,
  type Packet,
  PacketDecoder,
} from '../../../src/mysql/packet-decoder.ts'
import { PacketWriter } from '../../../src/mysql/packet-writer.ts'
import { encodeResultSet } from '../../../src/mysql/result-set.ts'

function decodeAll(decoder: PacketDecoder): Packet[] {
  const packets: Packet[] = []
  for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
    packets.push(packet)
  }
  return packets
}

describe('packets', () => {
  test('come out whole, however the bytes are cut', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 })
    fc.assert(
      fc.property(payloads, fc.array(fc.nat(400), { maxLength: 20 }), (list, cuts) => {
        const writer = new PacketWriter()
        const wire = writer.frameAll(list.map((item) => Buffer.from(item)))
        const decoder = new PacketDecoder({ payloadBytesMax: 1000 })
        const packets: Packet[] = []
        let at = 0
        for (const cut of [...cuts, wire.length]) {
          const end = Math.min(wire.length, at + cut)
          decoder.push(wire.subarray(at, end))
          packets.push(...decodeAll(decoder))
          at = end
        }
        expect(packets.map(({ payload }) => [...payload])).toEqual(list.map((item) => [...item]))
        expect(packets.map(({ sequence }) => sequence)).toEqual(list.map((_, index) => index))
      }),
    )
  })

  test.each([PACKET_PAYLOAD_MAX - 1, PACKET_PAYLOAD_MAX, PACKET_PAYLOAD_MAX + 5])(
    'a payload of %i bytes is split and joined',
    (length) => {
      const writer = new PacketWriter()
      writer.sequence = 255
      const wire = writer.frame(Buffer.alloc(length, 7))
      expect(writer.sequence).toBe(length < PACKET_PAYLOAD_MAX ? 0 : 1)
      const decoder = new PacketDecoder({ payloadBytesMax: 32 * 1024 * 1024 })
      decoder.push(wire)
      expect(decoder.next()?.payload.length).toBe(length)
      expect(decoder.takeRest().length).toBe(0)
    },
  )

  test('a length beyond the limit is refused before its bytes arrive', () => {
    const decoder = new PacketDecoder({ payloadBytesMax: 64 })
    decoder.push(Buffer.from('41000000', 'hex'))
    expect(() => decoder.next()).toThrow(expect.objectContaining({ code: 'ERR_PACKET_SIZE' }))
  })

  test('what follows the last packet is handed on', () => {
    const decoder = new PacketDecoder({ payloadBytesMax: 64 })
    decoder.push(Buffer.from('01000000aa160301', 'hex'))
    expect(decoder.next()?.payload.toString('hex')).toBe('aa')
    expect(decoder.takeRest().toString('hex')).toBe('160301')
    expect(decoder.next()).toBeUndefined()
  })
})

test('packets that come byte by byte are put together, and their bytes counted', () => {
  const writer = new PacketWriter()
  const payloads = [Buffer.alloc(40_000, 1), Buffer.alloc(3, 2), Buffer.alloc(2_000, 3)]
  const bytes = writer.frameAll(payloads)
  const decoder = new PacketDecoder({ payloadBytesMax: 64 * 1024 })
  const seen: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    // Large pieces among small ones.
    const length = at % 7_000 === 0 ? 3_000 : 1
    decoder.push(Buffer.from(bytes.subarray(at, at + length)))
    at += length
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
      seen.push(Buffer.from(packet.payload))
    }
    const taken = seen.reduce((sum, payload) => sum + payload.length + 4, 0)
    expect(decoder.heldBytes).toBe(Math.min(at, bytes.length) - taken)
  }
  expect(Buffer.concat(seen).equals(Buffer.concat(payloads))).toBe(true)
})

describe('replies', () => {
  test('OK, EOF and ERR are the bytes of the protocol', () => {
    expect(encodeOk().toString('hex')).toBe('00000002000000')
    expect(encodeOk(0xfe).toString('hex')).toBe('fe000002000000')
    expect(encodeEof().toString('hex')).toBe('fe00000200')
    const error = { number: 1236, sqlState: 'HY000', message: 'no' }
    expect(encodeServerError(error).toString('latin1')).toBe('\xff\xd4\x04#HY000no')
  })

  test('a result set ends its columns with EOF only for clients that want it', () => {
    const result = { columns: ['a'], rows: [['x'], [null]] }
    const classic = [...encodeResultSet(result, { deprecateEof: false })]
    const newer = [...encodeResultSet(result, { deprecateEof: true })]
    expect(classic.length).toBe(newer.length + 1)
    expect(classic[2]?.toString('hex')).toBe('fe00000200')
    expect(newer.slice(2).map((payload) => payload.toString('hex'))).toEqual([
      '0178',
      'fb',
      'fe000002000000',
    ])
  })
})
