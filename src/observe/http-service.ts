import { createServer, type RequestListener, type Server } from 'node:http'
import type { ListenOptions } from 'node:net'
import { plainJson } from '../base/plain-text.ts'

export interface HttpAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** Answers of GET, by path. */
export type HttpRoutes = Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>

/** Answers of DELETE, by the path without its last part, which is given decoded. */
export type HttpDeletes = Readonly<Record<string, (name: string) => Promise<HttpAnswer>>>

const REQUEST_MS_MAX = 5_000
const SILENT_MS_MAX = 10_000
const HEADER_BYTES_MAX = 8 * 1024
/** Of each of two admin sockets and the metrics port; gateway/relay-places.ts counts them. */
const CONNECTIONS_MAX = 16

export function metricsAnswer(text: string): HttpAnswer {
  return { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', body: text }
}

export function jsonAnswer(value: unknown, status = 200): HttpAnswer {
  return { status, contentType: 'application/json', body: `${plainJson(JSON.stringify(value))}\n` }
}

/** A small HTTP server for GET and DELETE without bodies, bounded in time, size and connections. */
export class HttpService {
  readonly #server: Server

  constructor(routes: HttpRoutes, deletes: HttpDeletes = {}) {
    this.#server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        requestTimeout: REQUEST_MS_MAX,
        headersTimeout: REQUEST_MS_MAX,
        keepAliveTimeout: REQUEST_MS_MAX,
        connectionsCheckingInterval: 1_000,
      },
      listener(routes, deletes),
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

function listener(routes: HttpRoutes, deletes: HttpDeletes): RequestListener {
  return async (request, response) => {
    const { method = '', url = '' } = request
    const removed = method === 'DELETE' ? await removedBy(url, deletes) : null
    const answer = removed ?? (await answerTo(method, url, routes))
    // A body nobody asked for is not read: the connection ends with the answer.
    if (request.headers['content-length'] ?? request.headers['transfer-encoding']) {
      response.setHeader('connection', 'close')
    }
    if (answer.status === 405) response.setHeader('allow', 'GET, HEAD')
    response.writeHead(answer.status, {
      'content-type': answer.contentType,
      'content-length': Buffer.byteLength(answer.body),
      'cache-control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }
}

/** Null when nothing of that path can be deleted. */
async function removedBy(url: string, deletes: HttpDeletes): Promise<HttpAnswer | null> {
  const end = url.lastIndexOf('/')
  const path = url.slice(0, end)
  const remove = Object.hasOwn(deletes, path) ? deletes[path] : undefined
  try {
    return (await remove?.(decodeURIComponent(url.slice(end + 1)))) ?? null
  } catch (error) {
    if (error instanceof URIError) return jsonAnswer({ error: 'the path is malformed' }, 400)
    return failed(error)
  }
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
