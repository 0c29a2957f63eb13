import { zstdCompressSync } from 'node:zlib'
import {
  DATA_HEADER_BYTES,
  FrameType,
  type JsonFrame,
  writeDataHeader,
} from '../../../src/link/frame.ts'
import type { Close, Hello, Open, Resume, Sample, State } from '../../../src/link/messages.ts'
import { firstTerm } from '../../../src/status/term-record.ts'
import { epochSource } from '../../helpers/spool/spool-fixture.ts'

const HELLO: Hello = {
  protocol: { oldest: 1, newest: 1 },
  gateway: 'ec2',
  site: 'ec2',
  software: '0.1.0',
  streams: [
    { name: 'main', term: firstTerm('ec2'), hasDatabase: true },
    {
      name: 'other',
      term: { term: 3, origin: 'azure', sinceMs: 5, by: 'azure', reason: 'the fire' },
      hasDatabase: false,
    },
  ],
}
const RESUME: Resume = {
  stream: 'main',
  term: 1,
  held: {
    epoch: 1,
    source: epochSource('mysql'),
    file: 'binlog.000001',
    offset: 4008,
    complete: false,
    gtids: '29d14f05-e66c-11f1-a076-02fc00000001:1-12:a_tag:1',
  },
  windowBytes: 16 * 1024 * 1024,
}
const OPEN: Open = {
  source: epochSource('mariadb'),
  newEpoch: { reason: 'first start', gtidsBefore: '0-7-1', breaksLineage: true },
}
const SAMPLE: Sample = {
  atMs: 1_700_000_000_000.5,
  file: 'binlog.000002',
  offset: 500,
  gtids: '0-7-12,1-8-3',
  files: [{ name: 'binlog.000001', bytes: 4008 }],
}
const STATE: State = {
  state: 'blocked',
  host: 'db.example:3306',
  problem: { code: 'ERR_SOURCE_PURGED', message: 'gone', remedy: 'Reseed.', sinceMs: 5 },
}
const END: Close = { code: 'ERR_SOURCE_CLOSED', message: 'the source ended the dump' }

/** One good body of every frame that has one. */
export const BODIES: readonly (readonly [type: JsonFrame['type'], body: object])[] = [
  [FrameType.Hello, HELLO],
  [FrameType.Resume, RESUME],
  [FrameType.Resume, { ...RESUME, held: null }],
  [FrameType.Open, OPEN],
  [FrameType.Open, { ...OPEN, newEpoch: null }],
  [FrameType.Sample, SAMPLE],
  [FrameType.State, STATE],
  [FrameType.Restart, END],
  [FrameType.Close, END],
  [FrameType.Request, { id: 1, operation: 'status', input: {}, granted: 'read' }],
  [FrameType.Reply, { id: 1, progress: 'half of it' }],
  [FrameType.Reply, { id: 1, error: { code: 'ERR_USAGE', message: 'no', retryable: false } }],
  [FrameType.Cancel, { id: 1 }],
]

export function encodeData(offset: number, raw: Buffer, compressed: boolean): Buffer {
  const payload = compressed ? zstdCompressSync(raw) : raw
  const message = Buffer.concat([Buffer.alloc(DATA_HEADER_BYTES), payload])
  writeDataHeader(message, { stream: 0, offset, readAtUs: 5, compressed, rawBytes: raw.length })
  return message
}
