import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DATA_HEADER_BYTES,
  decodeFrame,
  encodeAck,
  encodeFile,
  encodeJson,
  encodePing,
  encodePong,
  FRAME_PAYLOAD_BYTES_MAX,
  type Frame,
  FrameType,
  writeDataHeader,
} from '../../../src/link/frame.ts'
import { hello, open, parseBody, resume, sample, state } from '../../../src/link/messages.ts'
import { firstTerm } from '../../../src/status/term-record.ts'

function dataFrame(payload: Buffer, rawBytes = payload.length, compressed = false): Buffer {
  const message = Buffer.concat([Buffer.alloc(DATA_HEADER_BYTES), payload])
  writeDataHeader(message, {
    stream: 3,
    offset: 2 ** 40,
    readAtUs: 1_700_000_000_000_000,
    compressed,
    rawBytes,
  })
  return message
}

const PAYLOAD = Buffer.from('bytes of a binlog')
const CASES: [string, Buffer, Frame][] = [
  [
    'Data',
    dataFrame(PAYLOAD),
    {
      type: FrameType.Data,
      stream: 3,
      offset: 2 ** 40,
      readAtUs: 1_700_000_000_000_000,
      compressed: false,
      rawBytes: PAYLOAD.length,
      payload: PAYLOAD,
    },
  ],
  [
    'File',
    encodeFile(65_535, 4, 'binlog.000001'),
    { type: FrameType.File, stream: 65_535, offset: 4, name: 'binlog.000001' },
  ],
  ['Ack', encodeAck(1, 2 ** 50), { type: FrameType.Ack, stream: 1, syncedBytes: 2 ** 50 }],
  ['Ping', encodePing(17), { type: FrameType.Ping, stream: 0, sentUs: 17 }],
  ['Pong', encodePong(17, 18), { type: FrameType.Pong, stream: 0, sentUs: 17, answeredUs: 18 }],
  [
    'Close',
    encodeJson(FrameType.Close, 0, { code: 'ERR_X', message: 'ü' }),
    { type: FrameType.Close, stream: 0, body: { code: 'ERR_X', message: 'ü' } },
  ],
]

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
  return 'none'
}

describe('a frame', () => {
  test.each(CASES)('of type %s is read as it was written', (_type, message, frame) => {
    expect(decodeFrame(message)).toEqual(frame)
  })

  test.each(CASES)('of type %s is refused when it is cut off', (type, message) => {
    // What has no length of its own ends with its message: a shorter name is still a name.
    const fixed = type === 'File' ? 12 : message.length
    for (let bytes = 0; bytes < fixed; bytes += 1) {
      const code = codeOf(() => decodeFrame(message.subarray(0, bytes)))
      expect([bytes, ['ERR_TRUNCATED', 'ERR_LINK_FRAME'].includes(code)]).toEqual([bytes, true])
    }
  })

  test('is refused when its type is unknown', () => {
    for (const type of [0, 13, 255]) {
      const message = Buffer.from([type, 0, 0, 0, 1, 2, 3])
      expect(codeOf(() => decodeFrame(message))).toBe('ERR_LINK_FRAME')
    }
  })

  test('is refused when it claims no bytes, too many, or others than it has', () => {
    expect(codeOf(() => decodeFrame(dataFrame(PAYLOAD, 0)))).toBe('ERR_LINK_FRAME')
    expect(codeOf(() => decodeFrame(dataFrame(PAYLOAD, PAYLOAD.length + 1)))).toBe('ERR_LINK_FRAME')
    const most = FRAME_PAYLOAD_BYTES_MAX
    expect(codeOf(() => decodeFrame(dataFrame(PAYLOAD, most + 1, true)))).toBe('ERR_LINK_FRAME')
    expect(codeOf(() => decodeFrame(dataFrame(PAYLOAD, most, true)))).toBe('none')
  })

  test('is refused when a number in it is beyond what a file can have', () => {
    const ack = encodeAck(0, 0)
    ack.writeBigUInt64LE(2n ** 53n, 4)
    expect(codeOf(() => decodeFrame(ack))).toBe('ERR_MALFORMED')
  })

  test('answers garbage with coded errors only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(14), (garbage, type) => {
        const message = Buffer.concat([Buffer.from([type]), Buffer.from(garbage)])
        expect(codeOf(() => decodeFrame(message))).toMatch(/^(none|ERR_)/)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('the body of a frame', () => {
  const asked = { stream: 'main', term: 1, held: null, windowBytes: 5 }

  test.each([
    [hello, { protocol: { oldest: 1, newest: 'x' } }],
    [hello, null],
    [resume, { ...asked, held: { epoch: -1 } }],
    [resume, { ...asked, windowBytes: undefined }],
    [resume, { ...asked, term: 0 }],
    [resume, { ...asked, stream: undefined }],
    [open, { source: { flavor: 'postgres' }, newEpoch: null }],
    [sample, { atMs: 'now' }],
    [sample, { atMs: 5, file: null, offset: 7, gtids: '0-1-7' }],
    [sample, { atMs: 5, file: 'binlog.000001', offset: null, gtids: '0-1-7' }],
    [state, { state: 'asleep', host: '', problem: null }],
  ] as const)('is refused when it is not what was agreed (%#)', (schema, body) => {
    expect(codeOf(() => parseBody<unknown>(schema, body, 'test'))).toBe('ERR_LINK_FRAME')
  })

  test('is refused when it allows no byte to be under way', () => {
    expect(() => parseBody(resume, { ...asked, windowBytes: 0 }, 'resume')).toThrow(
      expect.objectContaining({ code: 'ERR_LINK_FRAME' }),
    )
  })

  test('may name a place by its GTIDs alone, as of a source without files', () => {
    const place = { atMs: 5, file: null, offset: null, gtids: '0-1-7' }
    expect(parseBody(sample, place, 'sample')).toEqual(place)
    const source = {
      ...{ flavor: 'mariadb', serverVersion: '12.3.2-MariaDB', serverId: 1 },
      ...{ serverUuid: null, gtidDomainId: 0 },
    }
    const held = { epoch: 1, source, ...place, complete: false }
    expect(parseBody(resume, { ...asked, held }, 'resume').held).toMatchObject({ file: null })
  })

  test('may have more than this version knows', () => {
    expect(parseBody(resume, { ...asked, later: true }, 'resume')).toEqual(asked)
  })
})

test('the worked example of PROTOCOL.md is what it says', () => {
  const text = readFileSync(new URL('../../../src/link/PROTOCOL.md', import.meta.url), 'utf8')
  const example = text.slice(text.indexOf('## A worked example'))
  const frames = [...example.matchAll(/^ {4}((?:[0-9a-f]{2} ?)+)/gm)].map(([, hex]) =>
    Buffer.from((hex ?? '').replaceAll(' ', ''), 'hex'),
  )
  expect(frames.map((bytes) => decodeFrame(bytes))).toEqual([
    { type: FrameType.File, stream: 0, offset: 0, name: 'binlog.000001' },
    {
      type: FrameType.Data,
      stream: 0,
      offset: 0,
      readAtUs: 1_700_000_000_000_000,
      compressed: false,
      rawBytes: 4,
      payload: Buffer.from('fe62696e', 'hex'),
    },
    { type: FrameType.Ack, stream: 0, syncedBytes: 4 },
    {
      type: FrameType.Restart,
      stream: 0,
      body: { code: 'ERR_PARKED', message: 'no room' },
    },
  ])
})

test('a hello that names a stream twice is refused: each would open dumps of its own', () => {
  const protocol = { oldest: 1, newest: 1 }
  const named = (...names: readonly string[]) => {
    const streams = names.map((name) => ({ name, term: firstTerm('ec2') }))
    return { protocol, gateway: 'azure', site: 'azure', software: 'x', streams }
  }
  expect(parseBody(hello, named('a', 'b'), 'hello').streams).toHaveLength(2)
  expect(() => parseBody(hello, named('a', 'b', 'a'), 'hello')).toThrow(
    expect.objectContaining({ code: 'ERR_LINK_FRAME' }),
  )
})
