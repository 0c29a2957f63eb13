import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { ListenOptions } from 'node:net'
import { plainJson } from '../base/plain-text.ts'

export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** Answers of GET, by path. */
export type HttpRoutes = Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>

/** What is posted, and the way back while it is worked on. */
export interface HttpPost {
  /** Parsed JSON; undefined for an empty body. */
  readonly body: unknown
  /** Aborted when whoever asked has gone. */
  readonly signal: AbortSignal
  /** A line of JSON before the answer, where lines were asked for (application/x-ndjson). */
  readonly line: (value: object) => void
}

/** Who answers what is posted to a path; null where there is nobody. */
export type HttpPosts = (path: string) => ((post: HttpPost) => Promise<HttpAnswer>) | null

const REQUEST_MS_MAX = 5_000
const SILENT_MS_MAX = 10_000
const HEADER_BYTES_MAX = 8 * 1024
const BODY_BYTES_MAX = 64 * 1024
/** Lines that whoever asked does not take. */
const UNSENT_BYTES_MAX = 1024 * 1024
const LINES = 'application/x-ndjson'
/** Of each of two admin sockets and the metrics port; gateway/relay-places.ts counts them. */
const CONNECTIONS_MAX = 16

export function metricsAnswer(text: string): HttpAnswer {
  return { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', body: text }
}

export function jsonAnswer(value: unknown, status = 200): HttpAnswer {
  return { status, contentType: 'application/json', body: `${plainJson(JSON.stringify(value))}\n` }
}

/** A small HTTP server for GET, and POST of JSON, bounded in time, size and connections. */
export class HttpService {
  readonly #server: Server

  constructor(routes: HttpRoutes, posts: HttpPosts = () => null) {
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        requestTimeout: REQUEST_MS_MAX,
        headersTimeout: REQUEST_MS_MAX,
        keepAliveTimeout: REQUEST_MS_MAX,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void answer(request, response, routes, posts),
    )
    this.#server.maxConnections = CONNECTIONS_MAX
    // Of requests sent in one piece all would be answered before the first answer is taken.
    this.#server.maxRequestsPerSocket = 1
    // Whoever asks and does not take the answer.
    this.#server.timeout = SILENT_MS_MAX
  }

  /** Rejects with the system's error when the address cannot be opened. */
  listen(options: ListenOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen(options, () => {
      this.#server.off('error', reject)
      // What fails later (too many open files) costs one connection, not the service.
      this.#server.on('error', () => {})
      resolve()
    })
    return promise
  }

  /** The port, once listening on TCP. */
  get port(): number | null {
    const address = this.#server.address()
    return address === null || typeof address === 'string' ? null : address.port
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: HttpRoutes,
  posts: HttpPosts,
): Promise<void> {
  const { method = '', url = '' } = request
  const posted = method === 'POST' ? await postedTo(request, response, posts) : null
  const given = posted ?? (await answerTo(method, url, routes))
  if (response.headersSent) {
    response.end(given.body)
    return
  }
  // A body nobody asked for is not read: the connection ends with the answer.
  if (!request.complete) response.setHeader('connection', 'close')
  if (given.status === 405) response.setHeader('allow', 'GET, HEAD')
  response.writeHead(given.status, {
    'content-type': given.contentType,
    'content-length': Buffer.byteLength(given.body),
    'cache-control': 'no-store',
  })
  response.end(method === 'HEAD' ? undefined : given.body)
}

/** Null where nothing can be posted. */
async function postedTo(
  request: IncomingMessage,
  response: ServerResponse,
  posts: HttpPosts,
): Promise<HttpAnswer | null> {
  const work = posts(request.url?.split('?', 1)[0] ?? '')
  if (work === null) return null
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  // It has gone: that is all there is to say.
  response.on('error', () => gone.abort())
  try {
    const body = await bodyOf(request)
    if (body === 'too large') return jsonAnswer({ error: `over ${BODY_BYTES_MAX} bytes` }, 413)
    // From here on it takes as long as it takes.
    request.socket.setTimeout(0)
    const wantsLines = request.headers.accept === LINES
    const line = (value: object): void => {
      const isOver = response.writableEnded || response.destroyed
      if (!wantsLines || isOver || response.writableLength > UNSENT_BYTES_MAX) return
      if (!response.headersSent) response.writeHead(200, { 'content-type': LINES })
      response.write(jsonAnswer(value).body)
    }
    const given = await work({ body: body.json, signal: gone.signal, line })
    // Whoever does not take the answer keeps the place no longer than others.
    request.socket.setTimeout(SILENT_MS_MAX)
    return given
  } catch (error) {
    if (error instanceof SyntaxError) return jsonAnswer({ error: 'the body is not JSON' }, 400)
    return failed(error)
  }
}

async function bodyOf(request: IncomingMessage): Promise<{ json: unknown } | 'too large'> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) return 'too large'
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  return { json: text.trim() === '' ? undefined : JSON.parse(text) }
}

async function answerTo(method: string, url: string, routes: HttpRoutes): Promise<HttpAnswer> {
  const path = url.split('?', 1)[0] ?? ''
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) {
    return jsonAnswer({ error: `no such path; there are ${Object.keys(routes).join(', ')}` }, 404)
  }
  if (method !== 'GET' && method !== 'HEAD') return jsonAnswer({ error: 'GET only' }, 405)
  try {
    return await route()
  } catch (error) {
    return failed(error)
  }
}

function failed(error: unknown): HttpAnswer {
  return jsonAnswer({ error: error instanceof Error ? error.message : String(error) }, 500)
}
