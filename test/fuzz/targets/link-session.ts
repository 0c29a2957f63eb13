import { once } from 'node:events'
import type { Channel } from '../../../src/link/channel.ts'
import {
  encodeAck,
  encodeFile,
  encodeJson,
  encodePing,
  FrameType,
} from '../../../src/link/frame.ts'
import { runLinkSession, type SessionBody } from '../../../src/link/link-session.ts'
import type { PeerCall } from '../../../src/link/peer-calls.ts'
import { receivedStreams } from '../../../src/link/received-streams.ts'
import { SentStreams } from '../../../src/link/sent-streams.ts'
import type { SourcePort, SpoolPort } from '../../../src/link/source-port.ts'
import { StreamReceiver } from '../../../src/link/stream-receiver.ts'
import { StreamSender } from '../../../src/link/stream-sender.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { helloOf } from '../../helpers/link/memory-link.ts'
import { noThrottle } from '../../helpers/link/no-throttle.ts'
import { socketPair } from '../../helpers/link/socket-pair.ts'
import { epochSource } from '../../helpers/spool/spool-fixture.ts'
import { attemptAsync } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'
import { BODIES, encodeData } from '../input/link-bodies.ts'
import { joinParts, splitParts } from '../input/parts.ts'
import { StrictLog } from '../input/strict-log.ts'

const SENDER = 1
/** The peer says hello by itself, so that all parts are frames behind it. */
const GREETED = 2
const WINDOW_BYTES = 4096
const SITES = { production: 'ec2', dr: 'azure' } as const

const spool: SpoolPort = {
  rewind: async () => null,
  beginEpoch: async () => undefined,
  renewSource: async () => undefined,
  beginFile: () => undefined,
  append: (_offset, _bytes, _readAtMs, written) => written?.(),
}

async function aborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

const source: SourcePort = {
  host: 'db:3306',
  open: async () => ({
    source: epochSource('mysql'),
    newEpoch: null,
    run: async (target, signal) => {
      target.accepted()
      target.file('binlog.000001', 4)
      target.bytes(Buffer.alloc(600, 7), 0, 600)
      target.chunkEnd()
      return await aborted(signal)
    },
  }),
  watch: async (_onSample, signal) => void (await aborted(signal).catch(() => undefined)),
}

/** The half of a stream at one site, as the other one's frames meet it. */
function halfOf(site: 'production' | 'dr', clock: FakeClock, log: StrictLog) {
  if (site === 'production') {
    const options = { name: 'main', compression: 'none', windowBytes: WINDOW_BYTES } as const
    return new StreamSender({ ...options, source, throttle: noThrottle, clock, log })
  }
  const told = { onSample: () => undefined, onOpen: () => undefined }
  const options = { name: 'main', term: 1, spool, windowBytes: WINDOW_BYTES, clock, ...told }
  return new StreamReceiver(options)
}

type Half = ReturnType<typeof halfOf>

/** What a gateway does in a session, with one stream. */
function bodyOf(half: Half, channel: Channel): SessionBody {
  if (half instanceof StreamSender) {
    return new SentStreams(channel, ({ stream }, own, number) =>
      stream === 'main' ? half.session(own, number) : UNKNOWN,
    )
  }
  const session = (own: Channel, number: number) => half.session(own, number, SITES.production)
  return receivedStreams([{ session }], channel)
}

const UNKNOWN = { code: 'ERR_STREAM_UNKNOWN', message: '', remedy: null, sinceMs: 0 } as const

function greeting(site: keyof typeof SITES): Buffer {
  const body = { protocol: { oldest: 1, newest: 1 }, ...helloOf(SITES[site]) }
  return encodeJson(FrameType.Hello, 0, body)
}

/** A whole session of real channels in memory, with everything that the peer may say in it. */
async function run(input: Buffer): Promise<void> {
  const { flags, bytes } = takeFlags(input)
  const [site, far] =
    flags & SENDER ? (['production', 'dr'] as const) : (['dr', 'production'] as const)
  const clock = new FakeClock()
  const log = new StrictLog()
  const half = halfOf(site, clock, log)
  const { left, right } = socketPair()
  left.socket.on('message', () => undefined)
  left.socket.resume()
  const options = {
    own: () => helloOf(SITES[site]),
    peer: { name: SITES[far], site: SITES[far] },
    pingMs: 60_000,
    clock,
    onUp: () => undefined,
    createBody: (channel: Channel) => bodyOf(half, channel),
    serve: async ({ input }: PeerCall) => input,
  }
  const session = attemptAsync(() =>
    runLinkSession(right.socket, right.stream, options, new AbortController().signal),
  )
  const frames = splitParts(bytes)
  if (flags & GREETED) frames.unshift(greeting(far))
  for (const frame of frames) left.socket.send(frame, {}, () => undefined)
  left.cut()
  await session
  log.check()
}

function seeds(): Buffer[] {
  const bodies = BODIES.map(([type, body]) => encodeJson(type, 0, body))
  const opening = encodeJson(FrameType.Open, 0, { source: epochSource('mysql'), newEpoch: null })
  const received = [
    opening,
    encodeFile(0, 0, 'binlog.000001'),
    encodeData(0, Buffer.from('fe62696e', 'hex'), false),
    encodeData(4, Buffer.alloc(300, 7), true),
    encodePing(5),
    ...bodies.slice(5),
  ]
  const resume = encodeJson(FrameType.Resume, 0, {
    stream: 'main',
    term: 1,
    held: null,
    windowBytes: 1024,
  })
  return [
    withFlags(GREETED, joinParts(received)),
    withFlags(0, joinParts(bodies)),
    withFlags(SENDER | GREETED, joinParts([resume, encodeAck(0, 0), encodeAck(0, 600), resume])),
    withFlags(SENDER | GREETED, joinParts(bodies.slice(1, 3))),
  ]
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 2500,
  seeds: seeds(),
  tokens: [
    'null',
    'true',
    '"windowBytes":0',
    '"term":0',
    '"stream":"ghost"',
    '"newEpoch":null',
    '"held":null',
  ],
  run,
})
