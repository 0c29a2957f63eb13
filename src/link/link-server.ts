import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { abortable } from '../base/abortable.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { Doorstep, type DoorstepLimits, type Guest } from '../base/doorstep.ts'
import { codeOf, isAbortError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { ReasonLog } from '../base/reason-log.ts'
import { Refusals } from '../base/refusals.ts'
import type { RefusedStatus } from '../status/status.ts'
import type { Channel } from './channel.ts'
import { FRAME_BYTES_MAX } from './frame.ts'
import { LINK_PATH } from './link-client.ts'
import {
  type LinkPeer,
  type LinkSessionOptions,
  runLinkSession,
  type SessionBody,
  superseded,
} from './link-session.ts'
import { LinkState } from './link-state.ts'
import { type LinkTls, peerOfCertificate } from './link-tls.ts'
import type { Hello } from './messages.ts'
import type { ServeCall } from './peer-calls.ts'

export interface LinkServerOptions<Peer extends LinkPeer>
  extends Omit<LinkSessionOptions, 'onUp' | 'peer' | 'createBody' | 'serve'> {
  /** Who may come; a session belongs to one of them. */
  readonly peers: readonly Peer[]
  readonly createBody: (channel: Channel, hello: Hello, peer: Peer) => SessionBody
  readonly serve: (peer: Peer, ...call: Parameters<ServeCall>) => Promise<unknown>
  /** Settles when a session may begin: while roles change none does. */
  readonly settled?: () => Promise<void>
  readonly host: string
  /** 0 takes a free one, see `ready`. */
  readonly port: number
  readonly tls: LinkTls
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<DoorstepLimits>
}

/** What somebody without the peer's certificate can cost: so many sockets, for so long. */
const DOORSTEP_LIMITS: DoorstepLimits = {
  guestsMax: 16,
  guestsPerAddressMax: 8,
  arrivalsPerSecondMax: 10,
  guestMs: 10_000,
}
const HEADER_BYTES_MAX = 8 * 1024
/** For the tunnel to have its address: whoever dials meanwhile is refused. */
const LISTEN_PAUSE_MS_MAX = 500

/** A peer, with the session that belongs to it. */
interface Caller<Peer> {
  readonly peer: Peer
  readonly state: LinkState
  readonly endings: ReasonLog
  session: { readonly stop: AbortController; readonly done: Promise<void> } | null
}

/**
 * The sending end: listens inside the tunnel. A peer has one session. A newer one of the same peer
 * ends the older, and never that of another peer.
 */
export class LinkServer<Peer extends LinkPeer = LinkPeer> {
  readonly #options: LinkServerOptions<Peer>
  readonly #callers: readonly Caller<Peer>[]
  readonly #listening: ReasonLog
  readonly #strangers: ReasonLog
  readonly #refusals: Refusals
  readonly #doorstep: Doorstep
  /** By address and port: what TLS makes of a socket says nothing of the socket below it. */
  readonly #guests = new Map<string, Guest>()
  readonly #ready = Promise.withResolvers<number>()

  constructor(options: LinkServerOptions<Peer>) {
    this.#options = options
    this.#callers = options.peers.map((peer) => ({
      peer,
      state: new LinkState(peer.name, 'sender', options.clock),
      endings: new ReasonLog(options),
      session: null,
    }))
    this.#listening = new ReasonLog(options)
    this.#strangers = new ReasonLog(options)
    this.#refusals = new Refusals({ ...options, door: 'link' })
    this.#doorstep = new Doorstep({
      limits: { ...DOORSTEP_LIMITS, ...options.limits },
      clock: options.clock,
      onDismissed: (why, address) => this.#refusals.add(why, address),
    })
  }

  stateOf(peer: string): LinkState {
    const caller = this.#callers.find((one) => one.peer.name === peer)
    if (caller === undefined) throw new TypeError(`${peer} is no peer`)
    return caller.state
  }

  /** Ends all sessions, and settles when nothing of them is left; the peers dial again. */
  async renew(reason: LandbridgeError): Promise<void> {
    for (const { session } of this.#callers) session?.stop.abort(reason)
    await this.#sessionsDone()
  }

  /** Connections that were turned away before they had shown a peer's certificate. */
  refused(): RefusedStatus[] {
    return this.#refusals.status().map((refused) => ({ where: 'link', ...refused }))
  }

  /** Connections that have not shown a peer's certificate yet. */
  get waiting(): number {
    return this.#doorstep.guests
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
        for (const { state } of this.#callers) state.down(error)
        this.#listening.warnOf('link', error)
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
    await this.#sessionsDone()
  }

  async #sessionsDone(): Promise<void> {
    await Promise.all(this.#callers.map(({ session }) => session?.done))
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { host, port } = this.#options
    const https = this.#createHttps(signal)
    await this.#listen(
      createServer((socket) => this.#admit(socket, https)),
      host,
      port,
      signal,
    )
  }

  /** TLS and HTTP for the connections that are given to it; it does not listen itself. */
  #createHttps(signal: AbortSignal): HttpsServer {
    const { tls } = this.#options
    const https = createHttpsServer({
      key: tls.privateKeyPem.reveal(),
      cert: tls.certificatePem,
      ca: tls.authorityPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
      maxHeaderSize: HEADER_BYTES_MAX,
    })
    const sockets = new WebSocketServer({
      noServer: true,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
      skipUTF8Validation: true,
    })
    https.on('request', (_request, response) => response.writeHead(404).end())
    https.on('upgrade', (request, socket, head) => {
      const isAsked = request.url === LINK_PATH && socket instanceof TLSSocket
      const caller = isAsked ? this.#callerOf(socket) : null
      if (!isAsked || caller === null) {
        socket.destroy()
        return
      }
      this.#guests.get(keyOf(socket))?.leave()
      this.#guests.delete(keyOf(socket))
      sockets.handleUpgrade(request, socket, head, (client) =>
        this.#accept(caller, client, socket, signal),
      )
    })
    return https
  }

  /** Counted before TLS, which costs more than everything else that a stranger can ask for. */
  #admit(socket: Socket, https: HttpsServer): void {
    const address = socket.remoteAddress
    const key = keyOf(socket)
    const guest =
      address === undefined
        ? null
        : this.#doorstep.enter(address, () => {
            this.#guests.delete(key)
            socket.destroy()
          })
    if (guest === null || address === undefined) {
      socket.destroy()
      return
    }
    this.#guests.set(key, guest)
    socket.once('close', () => {
      guest.leave()
      if (this.#guests.delete(key) && socket.bytesRead > 0) this.#refusals.add('tls', address)
    })
    https.emit('connection', socket)
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
      for (const { state } of this.#callers) state.listening()
    })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', abort)
      this.#doorstep.clear()
      if (server.listening) await new Promise<void>((closed) => server.close(() => closed()))
    }
  }

  /** Null for whoever is none of the peers. */
  #callerOf(socket: TLSSocket): Caller<Peer> | null {
    const { tls, peers } = this.#options
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return null
    try {
      const peer = peerOfCertificate(tls, certificate.raw, peers)
      return this.#callers.find((caller) => caller.peer === peer) ?? null
    } catch (error) {
      this.#strangers.warnOf('link', error)
      this.#guests.delete(keyOf(socket))
      this.#refusals.add('certificate', socket.remoteAddress ?? '')
      return null
    }
  }

  #accept(caller: Caller<Peer>, socket: WebSocket, stream: TLSSocket, signal: AbortSignal): void {
    // Until its session begins: no frame may come, and no error may find nobody.
    socket.pause()
    socket.on('error', () => undefined)
    const older = caller.session
    older?.stop.abort(superseded())
    const stop = new AbortController()
    const sessionSignal = AbortSignal.any([signal, stop.signal])
    const done = (async () => {
      await older?.done
      try {
        // Whoever changes the roles waits for this session's end.
        await abortable(this.#options.settled?.() ?? Promise.resolve(), sessionSignal)
        await this.#runSession(caller, socket, stream, sessionSignal)
      } catch {
        // It was ended before it began: of that the newer one, or the change, has the reason.
        socket.terminate()
      } finally {
        // Else the long-lived signal would keep the one of this session.
        stop.abort()
      }
    })()
    caller.session = { stop, done }
  }

  async #runSession(
    { peer, state, endings }: Caller<Peer>,
    socket: WebSocket,
    stream: TLSSocket,
    signal: AbortSignal,
  ): Promise<void> {
    const { log, createBody, serve } = this.#options
    state.greeting()
    const onUp: LinkSessionOptions['onUp'] = (channel, calls) => {
      state.up(channel, calls)
      log.info({ peer: peer.name, role: 'sender' }, 'link up')
    }
    const options: LinkSessionOptions = {
      ...this.#options,
      peer,
      onUp,
      createBody: (channel, hello) => createBody(channel, hello, peer),
      serve: (...call) => serve(peer, ...call),
    }
    try {
      await runLinkSession(socket, stream, options, signal)
    } catch (error) {
      const { isSteady } = state
      state.down(error)
      // This gateway stops: no trouble to report.
      if (isAbortError(error)) return
      if (isSteady) endings.over()
      endings.warnOf('link down', error)
    }
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}

function listenFailed(host: string, port: number, cause: unknown): LandbridgeError {
  const remedy =
    codeOf(cause) === 'EADDRINUSE'
      ? 'See what has the port (`ss -ltnp`) and stop it, or change `linkPort` in this peer file.'
      : 'The address comes with the tunnel: mend that; it is tried again.'
  return new LandbridgeError('ERR_LINK_LISTEN', `cannot listen on ${host}:${port}`, {
    cause,
    retryable: true,
    remedy,
  })
}
