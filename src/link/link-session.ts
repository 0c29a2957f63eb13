import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import { Channel } from './channel.ts'
import { type Frame, FrameType, PROTOCOL_VERSION } from './frame.ts'
import { type Hello, hello, parseBody } from './messages.ts'
import { PeerCalls, type ServeCall } from './peer-calls.ts'

/** What a gateway does with a session once both said hello. */
export interface SessionBody {
  onFrame(frame: Frame): void
  /** Runs beside the channel; a rejection ends the session. */
  run(signal: AbortSignal): Promise<void>
}

/** The only gateway that may be at the other end. */
export interface LinkPeer {
  readonly name: string
  readonly site: string
  readonly certificateFingerprint: string
}

export interface LinkSessionOptions {
  /** What this gateway says of itself as a session begins. */
  readonly own: () => Omit<Hello, 'protocol'>
  readonly peer: Pick<LinkPeer, 'name' | 'site'>
  readonly pingMs: number
  readonly clock: Clock
  readonly createBody: (channel: Channel, hello: Hello) => SessionBody
  /** Answers what the peer asks beside the streams. */
  readonly serve: ServeCall
  readonly onUp: (channel: Channel, calls: PeerCalls) => void
}

const HELLO_MS = 5_000

/** From an open WebSocket to the end of the session. Always rejects, with the reason. */
export async function runLinkSession(
  socket: WebSocket,
  stream: Pick<Socket, 'bytesRead'>,
  options: LinkSessionOptions,
  signal: AbortSignal,
): Promise<never> {
  let body: SessionBody | null = null
  const ending = new AbortController()
  const sessionSignal = AbortSignal.any([signal, ending.signal])
  let bodyDone: Promise<void> = Promise.resolve()
  const channel: Channel = new Channel({
    socket,
    clock: options.clock,
    pingMs: options.pingMs,
    bytesRead: () => stream.bytesRead,
    onFrame: (frame) => {
      if (body !== null) {
        if (!calls.onFrame(frame)) body.onFrame(frame)
        return
      }
      const peer = checkHello(frame, options)
      body = options.createBody(channel, peer)
      options.onUp(channel, calls)
      bodyDone = body.run(sessionSignal).catch((error: unknown) => channel.fail(error))
    },
  })
  const calls = new PeerCalls(channel, options.serve)
  const timer = setTimeout(() => {
    if (body === null) channel.fail(refused('the peer said no hello in time'))
  }, HELLO_MS)
  const protocol = { oldest: PROTOCOL_VERSION, newest: PROTOCOL_VERSION }
  channel.sendJson(FrameType.Hello, 0, { protocol, ...options.own() })
  try {
    return await channel.run(signal)
  } finally {
    clearTimeout(timer)
    calls.end()
    ending.abort()
    await bodyDone
  }
}

function checkHello(frame: Frame, options: LinkSessionOptions): Hello {
  if (frame.type !== FrameType.Hello) throw refused('the peer’s first frame is no hello')
  const peer = parseBody(hello, frame.body, 'hello')
  const { oldest, newest } = peer.protocol
  if (oldest > PROTOCOL_VERSION || newest < PROTOCOL_VERSION) {
    throw new LandbridgeError(
      'ERR_LINK_VERSION',
      `the peer speaks link protocol ${oldest} to ${newest}, this gateway ${PROTOCOL_VERSION}`,
      {
        retryable: true,
        remedy: 'Run versions of landbridge on both gateways that share a protocol version.',
      },
    )
  }
  const { name, site } = options.peer
  if (peer.gateway !== name || peer.site !== site) {
    throw refused(`the peer calls itself ${peer.gateway} at ${peer.site}, not ${name} at ${site}`)
  }
  return peer
}

/** One session at a time: what an older one still has to say is not listened to. */
export function superseded(): LandbridgeError {
  return new LandbridgeError('ERR_LINK_SUPERSEDED', 'the peer opened a newer link', {
    retryable: true,
  })
}

function refused(message: string): LandbridgeError {
  return new LandbridgeError('ERR_LINK_HELLO', message, { retryable: true })
}
