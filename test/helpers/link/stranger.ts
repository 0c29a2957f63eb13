import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

const ANSWER_BYTES_MAX = 64 * 1024

/** A door on 127.0.0.1, or the path of a Unix socket. */
export type Door = number | string

/** A connection that has no business here. Whatever happens to it, it does not throw. */
export class Stranger {
  /** Settles when the connection is closed, by whomever. */
  readonly closed: Promise<void>
  #socket: Socket
  #answer = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    this.#listen(socket)
    socket.once('close', () => resolve())
  }

  /** `from` is an address of the loopback: each counts as a host of its own. */
  static at(door: Door, from = '127.0.0.66'): Stranger {
    const to =
      typeof door === 'string'
        ? { path: door }
        : { host: '127.0.0.1', port: door, localAddress: from }
    return new Stranger(connect(to))
  }

  /** What came back so far, byte for byte. */
  get answer(): string {
    return this.#answer
  }

  send(bytes: Buffer | string): this {
    this.#socket.write(bytes)
    return this
  }

  /** Takes nothing of what comes from here on. */
  deaf(): this {
    this.#socket.pause()
    return this
  }

  /** Settles at the first answer or at the end. */
  async answered(): Promise<void> {
    if (this.#answer === '') await Promise.race([once(this.#socket, 'data'), this.closed])
  }

  /** A byte a second, for as long as somebody listens. */
  async drip(bytes: Buffer | string): Promise<void> {
    const rest = Buffer.from(bytes)
    let at = 0
    const timer = setInterval(() => {
      if (at < rest.length) this.#socket.write(rest.subarray(at, at + 1))
      at += 1
    }, 1_000)
    await this.closed
    clearInterval(timer)
  }

  /** Goes on as TLS; true when the handshake came to an end. */
  async startTls(options: ConnectionOptions): Promise<boolean> {
    this.#socket.removeAllListeners('data')
    const secure = connectTls({ ...options, socket: this.#socket, rejectUnauthorized: false })
    const { promise, resolve } = Promise.withResolvers<boolean>()
    secure.once('secureConnect', () => resolve(true))
    secure.once('close', () => resolve(false))
    this.#socket = secure
    this.#listen(secure)
    return await promise
  }

  /** Asks for a new handshake within the connection, as TLS 1.2 knows it. */
  async renegotiate(): Promise<boolean> {
    const socket = this.#socket
    if (!('renegotiate' in socket) || typeof socket.renegotiate !== 'function') return false
    const { promise, resolve } = Promise.withResolvers<boolean>()
    socket.renegotiate({}, (error: Error | null) => resolve(error === null))
    void this.closed.then(() => resolve(false))
    return await promise
  }

  /** Without a farewell, as a process that was killed on a host that answers. */
  vanish(): void {
    this.#socket.resetAndDestroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #listen(socket: Socket): void {
    // How it is treated is seen by its end.
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      if (this.#answer.length < ANSWER_BYTES_MAX) this.#answer += chunk.toString('latin1')
    })
  }
}

/** `count` times `visit`, so many at once. */
export async function crowd(
  count: number,
  atOnce: number,
  visit: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const queue = async (): Promise<void> => {
    while (next < count) {
      const index = next
      next += 1
      await visit(index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, queue))
}

/** A host for each index, so that no limit of one address applies. */
export const hostOf = (index: number): string =>
  `127.0.${1 + (Math.trunc(index / 250) % 250)}.${1 + (index % 250)}`
