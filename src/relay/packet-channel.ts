import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { LandbridgeError } from '../base/errors.ts'
import { type Packet, PacketDecoder } from '../mysql/packet-decoder.ts'
import { PacketWriter } from '../mysql/packet-writer.ts'

/**
 * One client's socket as packets in and bytes out. Reads only when asked to, so a client that
 * sends much is held back by TCP; a write settles when the bytes have left this process.
 */
export class PacketChannel {
  readonly writer = new PacketWriter()
  readonly #decoder: PacketDecoder
  readonly #closing = new AbortController()
  #socket: Socket
  #isSecure = false

  constructor(socket: Socket, options: { readonly payloadBytesMax: number }) {
    this.#socket = socket
    this.#decoder = new PacketDecoder(options)
    this.#watch(socket)
  }

  /** Aborted when the connection is gone, for whatever reason. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  get isSecure(): boolean {
    return this.#isSecure
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten
  }

  set payloadBytesMax(value: number) {
    this.#decoder.payloadBytesMax = value
  }

  #watch(socket: Socket): void {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    const close = () => {
      if (socket === this.#socket) this.destroy()
    }
    socket.on('error', close)
    socket.on('close', close)
    socket.on('end', close)
  }

  /** The next packet; undefined when the client has gone. */
  async read(): Promise<Packet | undefined> {
    for (;;) {
      const packet = this.#decoder.next()
      if (packet !== undefined) {
        this.writer.sequence = packet.sequence + 1
        return packet
      }
      const chunk: Buffer | null = this.#socket.read()
      if (chunk !== null) this.#decoder.push(chunk)
      else if (this.closed.aborted || this.#socket.destroyed) return undefined
      else await waitFor(this.#socket, 'readable', this.closed)
    }
  }

  /** Frames payloads with the running sequence numbers and sends them. */
  async send(...payloads: readonly Buffer[]): Promise<void> {
    await this.write(this.writer.frameAll(payloads))
  }

  /** Sends bytes that are framed already; `bytes` may be used again once it settles. */
  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(connectionLost(error))
      })
    })
  }

  /** Goes on as TLS; what the client sent behind its request already belongs to TLS. */
  async startTls(secureContext: SecureContext): Promise<void> {
    const plain = this.#socket
    const rest = this.#decoder.takeRest()
    plain.removeAllListeners('readable')
    if (rest.length > 0) plain.unshift(rest)
    const secure = new TLSSocket(plain, { isServer: true, secureContext })
    this.#socket = secure
    this.#watch(secure)
    let failure: Error | undefined
    secure.on('_tlsError', (error: Error) => {
      failure = error
      this.destroy()
    })
    await waitFor(secure, 'secure', this.closed)
    if (failure !== undefined) throw tlsFailed(failure)
    if (this.closed.aborted) throw connectionLost(undefined)
    this.#isSecure = true
  }

  /** Sends what is still queued, then closes. */
  async end(): Promise<void> {
    if (this.#socket.destroyed) return
    this.#socket.end()
    await waitFor(this.#socket, 'finish', this.closed)
  }

  destroy(): void {
    this.#closing.abort()
    this.#socket.destroy()
  }
}

function connectionLost(cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_REPLICA_GONE', 'the replica closed the connection', {
    retryable: true,
    cause,
  })
}

function tlsFailed(cause: Error): LandbridgeError {
  return new LandbridgeError('ERR_MALFORMED', 'the TLS handshake of a client failed', { cause })
}

/** Waits for an event or for the end of the connection. */
async function waitFor(socket: Socket, name: string, closed: AbortSignal): Promise<void> {
  try {
    await once(socket, name, { signal: closed })
  } catch (error) {
    // Both an abort and an 'error' event end the connection; the caller looks at `closed`.
    if (!closed.aborted && !socket.destroyed) throw error
  }
}
