import { isIPv6, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import { abortable } from '../base/abortable.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { ReasonLog } from '../base/reason-log.ts'
import { FRAME_BYTES_MAX } from './frame.ts'
import { type LinkPeer, type LinkSessionOptions, runLinkSession } from './link-session.ts'
import { LinkState } from './link-state.ts'
import { type LinkTls, peerOfCertificate } from './link-tls.ts'

export interface LinkClientOptions extends Omit<LinkSessionOptions, 'onUp' | 'peer'> {
  readonly peer: LinkPeer
  readonly host: string
  readonly port: number
  readonly tls: LinkTls
  readonly clock: Clock
  readonly log: Log
  /** Whether a dial that fails so is no trouble yet: the way to the peer is still being made. */
  readonly excuses?: (error: unknown) => boolean
  /** Settles when a session may begin: while roles change none does. */
  readonly settled?: () => Promise<void>
}

interface DialedSocket {
  readonly socket: WebSocket
  /** The connection below it. */
  readonly stream: Socket
}

const DIAL_MS = 5_000
/** A dial costs one packet; the pause is what a peer that came back is waited for in vain. */
const DIAL_PAUSE_MS_MAX = 1_000
export const LINK_PATH = '/v1/link'

/** The receiving end: dials its peer, again and again for as long as it runs. */
export class LinkClient {
  readonly state: LinkState
  readonly #options: LinkClientOptions
  #session: { readonly stop: AbortController; readonly done: Promise<void> } | null = null

  constructor(options: LinkClientOptions) {
    this.#options = options
    this.state = new LinkState(options.peer.name, 'receiver', options.clock)
  }

  /** Ends the session, and settles when nothing of it is left; the next one is dialled. */
  async renew(reason: LandbridgeError): Promise<void> {
    this.#session?.stop.abort(reason)
    await this.#session?.done
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const backoff = new Backoff({ clock, firstMs: 200, capMs: DIAL_PAUSE_MS_MAX })
    const reasons = new ReasonLog(this.#options)
    while (!signal.aborted) {
      try {
        await this.#runSession(signal)
      } catch (error) {
        if (!this.#isNoNews(error)) {
          const { isSteady } = this.state
          this.state.down(error)
          if (signal.aborted) return
          // Roles changed: the news is waited for.
          if (isSteady || codeOf(error) === 'ERR_TERM_CHANGED') backoff.reset()
          if (isSteady) reasons.over()
          reasons.warnOf('link down', error)
        }
      }
      await backoff.wait({ signal }).catch(() => undefined)
    }
  }

  /** Nobody was reached, and nobody could be. */
  #isNoNews(error: unknown): boolean {
    return this.state.isDown && this.#options.excuses?.(error) === true
  }

  async #runSession(signal: AbortSignal): Promise<never> {
    const { log, peer, settled } = this.#options
    const { socket, stream } = await this.#dial(signal)
    this.state.greeting()
    const onUp: LinkSessionOptions['onUp'] = (channel, calls) => {
      this.state.up(channel, calls)
      log.info({ peer: peer.name, role: 'receiver' }, 'link up')
    }
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const running = (async () => {
      // Behind the dial, which takes its time; from here on `renew` ends it.
      await abortable(settled?.() ?? Promise.resolve(), either).catch((error: unknown) => {
        socket.terminate()
        throw error
      })
      return await runLinkSession(socket, stream, { ...this.#options, onUp }, either)
    })()
    const session = { stop, done: running.catch(() => undefined) }
    this.#session = session
    try {
      return await running
    } finally {
      // Else the long-lived signal would keep the one of this session.
      stop.abort()
      if (this.#session === session) this.#session = null
    }
  }

  async #dial(signal: AbortSignal): Promise<DialedSocket> {
    const { host, port, tls, peer } = this.#options
    const options = {
      key: tls.privateKeyPem.reveal(),
      cert: tls.certificatePem,
      ca: tls.authorityPem,
      minVersion: 'TLSv1.3',
      servername: peer.name,
      handshakeTimeout: DIAL_MS,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      skipUTF8Validation: true,
    } as const
    const at = `${isIPv6(host) ? `[${host}]` : host}:${port}`
    const socket = new WebSocket(`wss://${at}${LINK_PATH}`, options)
    const { promise, resolve, reject } = Promise.withResolvers<DialedSocket>()
    const abort = (): void => reject(signal.reason)
    // Before the first frame: the chain and the name were checked, now the pinned key.
    socket.once('upgrade', ({ socket: stream }) => {
      socket.once('open', () => {
        socket.pause()
        resolve({ socket, stream })
      })
      const certificate = stream instanceof TLSSocket ? stream.getPeerX509Certificate() : undefined
      try {
        if (certificate === undefined) throw noCertificate()
        peerOfCertificate(tls, certificate.raw, [peer])
      } catch (error) {
        reject(error)
      }
    })
    socket.once('error', (cause) => reject(dialFailed(at, cause)))
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await promise
    } catch (error) {
      // A late error of the dying socket has nobody left to tell.
      socket.on('error', () => undefined)
      socket.terminate()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}

function noCertificate(): LandbridgeError {
  return new LandbridgeError('ERR_LINK_FINGERPRINT', 'the peer shows no certificate')
}

function dialFailed(at: string, cause: unknown): LandbridgeError {
  if (cause instanceof LandbridgeError) return cause
  return new LandbridgeError('ERR_LINK_DIAL', `cannot reach the peer at ${at}`, {
    cause,
    retryable: true,
    remedy: 'See that the gateway of the peer runs and that the tunnel reaches it.',
  })
}
