import { createServer, type Server } from 'node:https'
import { TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { codeOf, describeError, isAbortError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { ReasonLog } from '../base/reason-log.ts'
import type { LinkStatus } from '../progress/status.ts'
import { FRAME_BYTES_MAX } from './frame.ts'
import { LINK_PATH } from './link-client.ts'
import { type LinkSessionOptions, runLinkSession } from './link-session.ts'
import { LinkState } from './link-state.ts'
import { checkPeerCertificate, type LinkTls } from './link-tls.ts'

export interface LinkServerOptions extends Omit<LinkSessionOptions, 'onUp'> {
  readonly host: string
  /** 0 takes a free one, see `ready`. */
  readonly port: number
  readonly tls: LinkTls
  readonly clock: Clock
  readonly log: Log
}

/** What somebody without our certificates can cost: so many sockets, for so long. */
const CONNECTIONS_MAX = 16
const HANDSHAKE_MS = 5_000
/** For the tunnel to have its address: whoever dials meanwhile is refused. */
const LISTEN_PAUSE_MS_MAX = 500
const STEADY_SESSION_MS = 5_000

/** The production end: listens inside the tunnel; one session, the newest wins. */
export class LinkServer {
  readonly state: LinkState
  readonly #options: LinkServerOptions
  readonly #listening: ReasonLog
  readonly #refusals: ReasonLog
  readonly #endings: ReasonLog
  readonly #ready = Promise.withResolvers<number>()
  #session: { readonly stop: AbortController; readonly done: Promise<void> } | null = null

  constructor(options: LinkServerOptions) {
    this.#options = options
    this.state = new LinkState(options.peerName, options.clock)
    this.#listening = new ReasonLog(options)
    this.#refusals = new ReasonLog(options)
    this.#endings = new ReasonLog(options)
  }

  status(): LinkStatus {
    return this.state.status()
  }

  /** Settles with the bound port. */
  get ready(): Promise<number> {
    return this.#ready.promise
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const backoff = new Backoff({ clock, firstMs: 100, capMs: LISTEN_PAUSE_MS_MAX })
    while (!signal.aborted) {
      try {
        await this.#serve(signal)
      } catch (error) {
        // The address belongs to the tunnel: it may not be there yet, or gone for a while.
        this.state.down(error)
        this.#listening.warn(codeOf(error), `link: ${describeError(error)}`)
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
    await this.#session?.done
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { host, port, tls } = this.#options
    const server = createServer({
      key: tls.privateKeyPem.reveal(),
      cert: tls.certificatePem,
      ca: tls.authorityPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      handshakeTimeout: HANDSHAKE_MS,
      headersTimeout: HANDSHAKE_MS,
      requestTimeout: HANDSHAKE_MS,
    })
    server.maxConnections = CONNECTIONS_MAX
    const sockets = new WebSocketServer({
      noServer: true,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      skipUTF8Validation: true,
    })
    server.on('request', (_request, response) => response.writeHead(404).end())
    server.on('upgrade', (request, socket, head) => {
      if (request.url !== LINK_PATH || !(socket instanceof TLSSocket) || this.#refuses(socket)) {
        socket.destroy()
        return
      }
      sockets.handleUpgrade(request, socket, head, (client) => this.#accept(client, socket, signal))
    })
    await this.#listen(server, host, port, signal)
  }

  async #listen(server: Server, host: string, port: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => resolve()
    // Not once: a second error without anybody listening would end the gateway.
    server.on('error', (cause) => reject(listenFailed(host, port, cause)))
    signal.addEventListener('abort', abort, { once: true })
    server.listen(port, host, () => {
      const address = server.address()
      if (address !== null && typeof address === 'object') this.#ready.resolve(address.port)
      this.#listening.over()
    })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', abort)
      server.closeAllConnections()
      if (server.listening) await new Promise<void>((closed) => server.close(() => closed()))
    }
  }

  #refuses(socket: TLSSocket): boolean {
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return true
    const error = checkPeerCertificate(this.#options.tls, certificate.raw)
    if (error === undefined) return false
    this.#refusals.warn(error.code, error.message)
    return true
  }

  #accept(socket: WebSocket, stream: TLSSocket, signal: AbortSignal): void {
    // Until its session begins: no frame may come, and no error may find nobody.
    socket.pause()
    socket.on('error', () => undefined)
    const older = this.#session
    older?.stop.abort(superseded())
    const stop = new AbortController()
    const sessionSignal = AbortSignal.any([signal, stop.signal])
    const done = (async () => {
      await older?.done
      if (sessionSignal.aborted) {
        socket.terminate()
        return
      }
      await this.#runSession(socket, stream, sessionSignal)
    })()
    this.#session = { stop, done }
  }

  async #runSession(socket: WebSocket, stream: TLSSocket, signal: AbortSignal): Promise<void> {
    const { log, peerName, clock } = this.#options
    const startedMs = clock.monotonicMs()
    let wasUp = false
    this.state.greeting()
    const onUp: LinkSessionOptions['onUp'] = (channel) => {
      wasUp = true
      this.state.up(channel)
      log.info({ peer: peerName }, 'link up')
    }
    try {
      await runLinkSession(socket, stream, { ...this.#options, onUp }, signal)
    } catch (error) {
      this.state.down(error)
      // This gateway stops: no trouble to tell of.
      if (isAbortError(error)) return
      if (wasUp && clock.monotonicMs() - startedMs > STEADY_SESSION_MS) this.#endings.over()
      this.#endings.warn(codeOf(error), `link down: ${describeError(error)}`)
    }
  }
}

function superseded(): LandbridgeError {
  return new LandbridgeError('ERR_LINK_SUPERSEDED', 'the peer opened a newer link', {
    retryable: true,
  })
}

function listenFailed(host: string, port: number, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_LINK_LISTEN', `cannot listen on ${host}:${port}`, {
    cause,
    retryable: true,
  })
}
