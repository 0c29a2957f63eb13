import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { Backoff } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { Doorstep, type Guest } from '../../base/doorstep.ts'
import { codeOf, errorFields, LandbridgeError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { Refusals } from '../../base/refusals.ts'
import { Trouble } from '../../base/trouble.ts'
import { formatHostPort } from '../../config/address.ts'
import { problemOf } from '../../status/problem-of.ts'
import type { Problem, RefusedStatus } from '../../status/status.ts'
import { PageDoor } from './page-door.ts'
import { PageFiles } from './page-files.ts'
import type { PageConfig } from './page-section.ts'
import { namesOf, type OwnIdentity, PageViewers } from './page-tls.ts'

export interface PageServerOptions extends PageConfig {
  readonly identity: OwnIdentity
  /** A page was opened. The socket is its own until it closes. */
  readonly onViewer: (socket: WebSocket) => void
  /** How many pages are open. */
  readonly viewers: () => number
  readonly messageBytesMax: number
  readonly clock: Clock
  readonly log: Log
}

export const LIVE_PATH = '/live'

/** A browser takes six for the files, for as long as they are kept alive, and one that stays. */
export const PAGE_CONNECTIONS_MAX = 40
const VIEWERS_MAX = 8
const HEADER_BYTES_MAX = 16 * 1024
const REQUEST_MS_MAX = 5_000
const KEPT_MS = 2_000
const SILENT_MS_MAX = 20_000
/** Of requests in one piece each would be answered from memory before one answer is taken. */
const REQUESTS_PER_CONNECTION_MAX = 32
const LISTEN_PAUSE_MS_MAX = 2_000
/** For whoever has not shown a certificate that may look. */
const DOORSTEP_LIMITS = {
  guestsMax: 16,
  guestsPerAddressMax: 12,
  arrivalsPerSecondMax: 20,
  guestMs: 10_000,
}

/**
 * Nothing but what this gateway serves is loaded, nothing is interpreted as HTML or as script that
 * came as text, and no other page may frame this one.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

export const SECURITY_HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const

/** The files of the page and its WebSocket, on one address, to whoever may look. */
export class PageServer {
  readonly #options: PageServerOptions
  readonly #files = new PageFiles()
  readonly #door: PageDoor
  readonly #admitted: PageViewers | null
  readonly #trouble: Trouble
  readonly #refusals: Refusals
  readonly #doorstep: Doorstep
  readonly #guests = new Map<string, Guest>()
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  #port: number | null = null

  constructor(options: PageServerOptions) {
    this.#options = options
    const { listen, viewersPem, identity, clock, messageBytesMax } = options
    const isPlain = viewersPem === null
    this.#admitted = isPlain ? null : new PageViewers(viewersPem)
    this.#door = new PageDoor({
      host: listen.host,
      names: isPlain ? [] : namesOf(identity.certificatePem),
      scheme: isPlain ? 'http' : 'https',
    })
    this.#sockets.options.maxPayload = messageBytesMax
    this.#trouble = new Trouble(clock)
    this.#refusals = new Refusals({ ...options, door: 'page' })
    this.#doorstep = new Doorstep({
      limits: DOORSTEP_LIMITS,
      clock,
      onDismissed: (why, address) => this.#refusals.add(why, address),
    })
  }

  /** The bound port; null while it does not listen. */
  get port(): number | null {
    return this.#port
  }

  /** Listens until abort. An address that cannot be had is a problem of the status, no failure. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const backoff = new Backoff({ clock, firstMs: 100, capMs: LISTEN_PAUSE_MS_MAX })
    while (!signal.aborted) {
      try {
        await this.#serve(signal)
      } catch (cause) {
        const error = this.#cannotListen(cause)
        if (this.#trouble.met(error) === 'begun') log.warn(errorFields(error), error.message)
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
  }

  problems(): Problem[] {
    const { now } = this.#trouble
    return now === null ? [] : [problemOf(now, { severity: 'warning', where: 'page' })]
  }

  refused(): RefusedStatus[] {
    return this.#refusals.status().map((refused) => ({ where: 'page', ...refused }))
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { host, port } = this.#options.listen
    const http = this.#createHttp()
    const server = createServer((socket) => this.#admit(socket, http))
    server.maxConnections = PAGE_CONNECTIONS_MAX
    const open = new Set<Socket>()
    server.on('connection', (socket) => {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => resolve()
    // Not once: a second error without anybody listening would end the gateway.
    server.on('error', reject)
    signal.addEventListener('abort', abort, { once: true })
    server.listen(port, host, () => {
      const address = server.address()
      this.#port = typeof address === 'object' && address !== null ? address.port : null
      this.#trouble.over()
    })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', abort)
      this.#port = null
      this.#doorstep.clear()
      const closed = new Promise<void>((done) => server.close(() => done()))
      for (const socket of open) socket.destroy()
      if (server.listening || open.size > 0) await closed
    }
  }

  /** HTTP for the connections that are given to it; it does not listen itself. */
  #createHttp(): Server {
    const { identity } = this.#options
    const limits = {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_MS_MAX,
      headersTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: KEPT_MS,
      connectionsCheckingInterval: 1_000,
    }
    const tls = this.#admitted?.tlsOptions(identity) ?? null
    const http = tls === null ? createHttp(limits) : createHttps({ ...limits, ...tls })
    http.maxRequestsPerSocket = REQUESTS_PER_CONNECTION_MAX
    http.timeout = SILENT_MS_MAX
    http.on('request', (request, response) => void this.#answer(request, response))
    http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    http.on('secureConnection', (socket: TLSSocket) => this.#greet(socket))
    return http
  }

  #admit(socket: Socket, http: Server): void {
    const address = socket.remoteAddress
    if (this.#admitted === null || address === undefined) {
      http.emit('connection', socket)
      return
    }
    const key = keyOf(socket)
    const dismiss = (): void => {
      this.#guests.delete(key)
      socket.destroy()
    }
    const guest = this.#doorstep.enter(address, dismiss)
    if (guest === null) {
      socket.destroy()
      return
    }
    this.#guests.set(key, guest)
    socket.once('close', () => {
      guest.leave()
      if (this.#guests.delete(key) && socket.bytesRead > 0) this.#refusals.add('tls', address)
    })
    http.emit('connection', socket)
  }

  /** TLS is done: whose key it is decides. */
  #greet(socket: TLSSocket): void {
    const key = keyOf(socket)
    this.#guests.get(key)?.leave()
    this.#guests.delete(key)
    if (this.#isAdmitted(socket)) return
    this.#refusals.add('certificate', socket.remoteAddress ?? '')
    socket.destroy()
  }

  #isAdmitted(socket: Duplex): boolean {
    if (this.#admitted === null) return true
    return (
      socket instanceof TLSSocket && this.#admitted.admits(socket, this.#options.clock.wallMs())
    )
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers, url = '' } = request
    // Whoever goes meanwhile needs no answer.
    response.on('error', () => undefined)
    const isOurs = this.#isAdmitted(request.socket) && this.#door.allowsHost(headers.host)
    if (!isOurs || (method !== 'GET' && method !== 'HEAD')) {
      refuse(response, isOurs ? 405 : 403, isOurs ? 'GET only' : 'not this host')
      return
    }
    const file = await this.#files.get(url.split('?', 1)[0] ?? '').catch((error: unknown) => {
      this.#options.log.error(errorFields(error), 'a file of the page cannot be read')
      return null
    })
    if (file === null) {
      refuse(response, 404, 'no such page')
      return
    }
    const common = { ...SECURITY_HEADERS, etag: file.etag, 'cache-control': 'no-cache' }
    if (headers['if-none-match'] === file.etag) {
      response.writeHead(304, common).end()
      return
    }
    response.writeHead(200, {
      ...common,
      'content-type': file.contentType,
      'content-length': file.body.length,
    })
    response.end(method === 'HEAD' ? undefined : file.body)
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { headers, url } = request
    socket.on('error', () => socket.destroy())
    const isOwnPage =
      this.#isAdmitted(socket) && this.#door.allowsOrigin(headers.origin, headers.host)
    if (url !== LIVE_PATH) refuseUpgrade(socket, '404 Not Found')
    else if (!isOwnPage) refuseUpgrade(socket, '403 Forbidden')
    else if (this.#options.viewers() >= VIEWERS_MAX) {
      refuseUpgrade(socket, '503 Service Unavailable')
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (client) => {
        this.#options.onViewer(client)
      })
    }
  }

  #cannotListen(cause: unknown): LandbridgeError {
    const where = formatHostPort(this.#options.listen)
    const remedy =
      codeOf(cause) === 'EADDRINUSE'
        ? 'See what has the port (`ss -ltnp`) and stop it, or choose another for page.listen.'
        : 'An address of the tunnel comes with it: mend that; it is tried again.'
    return new LandbridgeError('ERR_PAGE_LISTEN', `cannot serve the page on ${where}`, {
      cause,
      retryable: true,
      remedy,
    })
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  const type = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
  response.writeHead(status, { ...SECURITY_HEADERS, ...type, connection: 'close' })
  response.end(`${text}\n`)
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`
}
