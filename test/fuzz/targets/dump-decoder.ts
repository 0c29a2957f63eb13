import assert from 'node:assert/strict'
import { DumpDecoder, type DumpDecoderOptions } from '../../../src/source/dump-decoder.ts'
import { fixtureBytes } from '../../helpers/fixtures.ts'
import { attempt } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { chunksOf } from '../input/chunks.ts'
import { rangesOf, withSums } from '../input/event-bytes.ts'
import { takeFlags, withFlags } from '../input/flags.ts'

const MYSQL = 1
const FRAMED = 2
const CHECKSUM = 4
const EXPECTS = 8
const MENDED = 16
const RESUMES = ['gtid', 'offset', 'count'] as const
const RESUME_SHIFT = 5
const EXPECTED = { file: 'binlog.000001', offset: 500 }
const PACKET_HEADER_BYTES = 4

/** The events of an input as a source sends them: a packet each, a zero byte before each. */
function framed(events: Buffer): Buffer {
  return Buffer.concat(
    rangesOf(events).flatMap(({ start, end }, index) => {
      const head = Buffer.alloc(PACKET_HEADER_BYTES + 1)
      head.writeUIntLE(end - start + 1, 0, 3)
      head.writeUInt8(index % 256, 3)
      return [head, events.subarray(start, end)]
    }),
  )
}

function decode(pieces: readonly Buffer[], flags: number) {
  const calls: string[] = []
  const parts: Buffer[] = []
  const options: DumpDecoderOptions = {
    flavor: flags & MYSQL ? 'mysql' : 'mariadb',
    checksum: (flags & CHECKSUM) !== 0,
    expect: flags & EXPECTS ? EXPECTED : null,
    resume: RESUMES[(flags >> RESUME_SHIFT) % RESUMES.length] ?? 'gtid',
    sink: {
      accepted: () => calls.push('accepted'),
      file: (name, offset) => calls.push(`${name}:${offset}`),
      bytes: (chunk, start, end) => parts.push(Buffer.from(chunk.subarray(start, end))),
    },
  }
  const decoder = new DumpDecoder(options)
  const outcome = attempt(() => {
    for (const piece of pieces) decoder.push(piece)
    return { position: decoder.position, heartbeats: decoder.heartbeats }
  })
  return { calls, bytes: Buffer.concat(parts), outcome }
}

function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  const events = flags & FRAMED && flags & MENDED ? withSums(bytes) : bytes
  const packets = flags & FRAMED ? framed(events) : events
  const whole = decode([packets], flags)
  const pieces = decode(chunksOf(packets), flags)
  assert.deepEqual(pieces.calls, whole.calls)
  assert.deepEqual(pieces.outcome, whole.outcome)
  assert(whole.bytes.length <= packets.length + 4 * (whole.calls.length + 1))
  // Before an error, less of the broken event may have been passed on by the one than the other.
  if ('value' in whole.outcome) assert.deepEqual(pieces.bytes, whole.bytes)
  else
    assert.deepEqual(commonHead(pieces.bytes, whole.bytes), commonHead(whole.bytes, pieces.bytes))
}

function commonHead(bytes: Buffer, other: Buffer): Buffer {
  return bytes.subarray(0, other.length)
}

/** A recorded dump as events, from which `framed` makes the packets again. */
function unframed(dump: Buffer): Buffer {
  const events: Buffer[] = []
  for (let at = 0; at < dump.length; ) {
    const length = dump.readUIntLE(at, 3)
    events.push(dump.subarray(at + PACKET_HEADER_BYTES + 1, at + PACKET_HEADER_BYTES + length))
    at += PACKET_HEADER_BYTES + length
  }
  return Buffer.concat(events)
}

const EVENTS_BYTES_MAX = 700

function seeds(): Buffer[] {
  return (['mysql', 'mariadb'] as const).flatMap((flavor) => {
    const own = flavor === 'mysql' ? MYSQL : 0
    const [all, middle, position] = ['all', 'middle', 'position'].map((name) =>
      fixtureBytes(`${flavor}-dump-${name}.hex`),
    ) as [Buffer, Buffer, Buffer]
    const modes = [
      [all, 0],
      [middle, EXPECTS],
      [position, EXPECTS | (1 << RESUME_SHIFT)],
      [all, EXPECTS | (2 << RESUME_SHIFT)],
    ] as const
    return modes.flatMap(([dump, flags]) => [
      withFlags(own | CHECKSUM | flags, dump.subarray(0, EVENTS_BYTES_MAX)),
      withFlags(
        own | CHECKSUM | FRAMED | MENDED | flags,
        unframed(dump).subarray(0, EVENTS_BYTES_MAX),
      ),
      withFlags(own | FRAMED | MENDED | flags, unframed(dump).subarray(0, EVENTS_BYTES_MAX)),
    ])
  })
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 1000,
  seeds: [
    ...seeds(),
    withFlags(0, Buffer.from('0a000000ff d404 2348593030 30676f6e65'.replaceAll(' ', ''), 'hex')),
    withFlags(0, Buffer.from('05000000fe00000200', 'hex')),
  ],
  tokens: ['binlog.000001', 'binlog.000002'],
  run,
})
