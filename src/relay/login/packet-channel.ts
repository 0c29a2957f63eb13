import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { Clock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { type Packet, PacketDecoder } from '../../mysql/packet-decoder.ts'
import { PacketWriter } from '../../mysql/packet-writer.ts'

export interface PacketChannelOptions {
  readonly payloadBytesMax: number
  readonly clock: Clock
  /** For how long a client may take nothing of a slice that is sent to it. */
  readonly writeMs: number
}

/** Slower than one of these within `writeMs` is as good as stalled. */
const SLICE_BYTES = 256 * 1024

/**
 * One client's socket as packets in and bytes out. Reads only when asked to, so a client that
 * sends much is held back by TCP; a write settles when the bytes have left this process. A client
 * that does not take what it asked for is cut off.
 */
export class PacketChannel {
  readonly writer = new PacketWriter()
  readonly #decoder: PacketDecoder
  readonly #closing = new AbortController()
  readonly #options: PacketChannelOptions
  #socket: Socket
  #isSecure = false
  /** When the slice that is being written was begun; null while nothing is. */
  #writingSinceMs: number | null = null
  #isWatching = false

  constructor(socket: Socket, options: PacketChannelOptions) {
    this.#socket = socket
    this.#options = options
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

  /**
   * The next packet; undefined when the client has gone, or `until` is aborted. `onHeld` is told
   * how many bytes are kept meanwhile.
   */
  async read(
    until: AbortSignal = this.closed,
    onHeld?: (bytes: number) => void,
  ): Promise<Packet | undefined> {
    const stop = until === this.closed ? until : AbortSignal.any([until, this.closed])
    for (;;) {
      const packet = this.#decoder.next()
      onHeld?.(this.#decoder.heldBytes)
      if (packet !== undefined) {
        this.writer.sequence = packet.sequence + 1
        return packet
      }
      const chunk: Buffer | null = this.#socket.read()
      if (chunk !== null) this.#decoder.push(chunk)
      else if (stop.aborted || this.#socket.destroyed) return undefined
      else await waitFor(this.#socket, 'readable', stop)
    }
  }

  /** Frames payloads with the running sequence numbers and sends them. */
  async send(...payloads: readonly Buffer[]): Promise<void> {
    await this.write(this.writer.frameAll(payloads))
  }

  /** Sends bytes that are framed already; `bytes` may be used again once it settles. */
  async write(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
        this.#writingSinceMs = this.#options.clock.monotonicMs()
        if (!this.#isWatching) void this.#watchWrites()
        await this.#writeSlice(bytes.subarray(at, at + SLICE_BYTES))
      }
    } finally {
      this.#writingSinceMs = null
    }
  }

  #writeSlice(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(connectionLost(error))
      })
    })
  }

  /** One timer for many writes; none while nothing is sent. */
  async #watchWrites(): Promise<void> {
    const { clock, writeMs } = this.#options
    this.#isWatching = true
    for (let since = this.#writingSinceMs; since !== null; since = this.#writingSinceMs) {
      const dueMs = since + writeMs - clock.monotonicMs()
      if (dueMs <= 0) this.destroy()
      if (this.closed.aborted) break
      await clock.sleep(dueMs, { signal: this.closed }).catch(() => undefined)
    }
    this.#isWatching = false
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
    this.#decoder.clear()
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
