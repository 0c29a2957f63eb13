import type { Clock } from '../../../src/base/clock.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { isLandbridgeError } from '../../../src/base/errors.ts'
import { type Log, silentLog } from '../../../src/base/log.ts'
import type { Channel } from '../../../src/link/channel.ts'
import type { ByteThrottle } from '../../../src/link/frame-target.ts'
import { runLinkSession } from '../../../src/link/link-session.ts'
import type { Hello } from '../../../src/link/messages.ts'
import { receivedStreams } from '../../../src/link/received-streams.ts'
import { SentStreams } from '../../../src/link/sent-streams.ts'
import type { SourcePort } from '../../../src/link/source-port.ts'
import { StreamReceiver } from '../../../src/link/stream-receiver.ts'
import { StreamSender } from '../../../src/link/stream-sender.ts'
import { firstTerm } from '../../../src/status/term-record.ts'
import type { SpoolFixture } from '../spool/spool-fixture.ts'
import { noThrottle } from './no-throttle.ts'
import { type Judge, type SocketEnd, socketPair } from './socket-pair.ts'

export interface MemoryLinkOptions {
  readonly source: SourcePort
  readonly spool: SpoolFixture
  readonly windowBytes?: number
  readonly compression?: 'auto' | 'zstd' | 'none'
  readonly parkAfterMs?: number
  readonly throttle?: ByteThrottle
  readonly clock?: Clock
  /** Of the sender. */
  readonly log?: Log
}

export interface MemorySession {
  /** Why each end says that the session is over; settles when both are done. */
  readonly over: Promise<{ readonly production: string; readonly dr: string }>
  stop(): Promise<void>
}

const SITES = { production: 'ec2', dr: 'azure' } as const

/** Sender and receiver of one stream with real codecs, joined by connections in memory. */
export class MemoryLink {
  readonly sender: StreamSender
  readonly receiver: StreamReceiver
  readonly #clock: Clock

  constructor(options: MemoryLinkOptions) {
    const { source, spool, compression = 'none', parkAfterMs } = options
    const windowBytes = options.windowBytes ?? 1024 * 1024
    const clock = options.clock ?? systemClock
    this.#clock = clock
    this.sender = new StreamSender({
      name: 'main',
      source,
      throttle: options.throttle ?? noThrottle,
      compression,
      windowBytes,
      ...(parkAfterMs !== undefined && { parkAfterMs }),
      clock,
      log: options.log ?? silentLog,
    })
    this.receiver = new StreamReceiver({
      name: 'main',
      term: 1,
      windowBytes,
      clock,
      spool: {
        rewind: () => spool.writer.rewind(),
        beginEpoch: (...epoch) => spool.writer.beginEpoch(...epoch),
        renewSource: (origin) => spool.writer.renewSource(origin),
        beginFile: (name, offset) => spool.writer.beginFile(name, offset),
        append: (offset, bytes, readAtMs, written) =>
          spool.writer.append(offset, bytes, readAtMs, written),
      },
      onSample: () => undefined,
      onOpen: () => undefined,
    })
    spool.onSynced = (bytes) => this.receiver.synced(bytes)
    spool.onBroken = (error) => this.receiver.broken(error)
  }

  connect(judges: { readonly production?: Judge; readonly dr?: Judge } = {}): MemorySession {
    const stop = new AbortController()
    const { left, right } = socketPair({
      ...(judges.production && { left: judges.production }),
      ...(judges.dr && { right: judges.dr }),
    })
    const production = this.#run(left, 'production', stop.signal)
    const dr = this.#run(right, 'dr', stop.signal)
    const over = Promise.all([production, dr]).then(([one, other]) => ({
      production: one,
      dr: other,
    }))
    return {
      over,
      stop: async () => {
        stop.abort()
        await over
      },
    }
  }

  /** The DR half alone; the test is the peer. */
  receive(end: SocketEnd): { readonly over: Promise<string> } {
    return { over: this.#run(end, 'dr', new AbortController().signal) }
  }

  /** The production half alone. */
  send(end: SocketEnd): { readonly over: Promise<string> } {
    return { over: this.#run(end, 'production', new AbortController().signal) }
  }

  #run(end: SocketEnd, site: 'production' | 'dr', signal: AbortSignal): Promise<string> {
    const peer = SITES[site === 'dr' ? 'production' : 'dr']
    const receive = (channel: Channel) =>
      receivedStreams(
        [{ session: (own, number) => this.receiver.session(own, number, peer) }],
        channel,
      )
    const send = (channel: Channel) =>
      new SentStreams(channel, (_request, own, number) => this.sender.session(own, number))
    const options = {
      own: () => helloOf(SITES[site]),
      peer: { name: peer, site: peer },
      pingMs: 10_000,
      clock: this.#clock,
      onUp: () => undefined,
      createBody: site === 'dr' ? receive : send,
      serve: async () => null,
    }
    return runLinkSession(end.socket, end.stream, options, signal).catch(reasonOf)
  }
}

/** What a gateway that is named like its site says of itself. */
export function helloOf(site: string): Omit<Hello, 'protocol'> {
  const streams = [{ name: 'main', term: firstTerm('ec2'), hasDatabase: true }]
  return { gateway: site, site, software: 'test', streams }
}

function reasonOf(error: unknown): string {
  if (isLandbridgeError(error)) return error.code
  if (error instanceof Error && error.name === 'AbortError') return 'stopped'
  throw error
}
