import type { WebSocket } from 'ws'
import type { Clock } from '../base/clock.ts'
import { ClockOffset } from '../base/clock-offset.ts'
import { Condition } from '../base/condition.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import {
  decodeFrame,
  encodeJson,
  encodePing,
  encodePong,
  type Frame,
  FrameType,
  type JsonFrame,
} from './frame.ts'
import { BODY_BYTES_MAX, MessageJoiner, splitMessage } from './message-parts.ts'
import { close as closeBody, parseBody } from './messages.ts'

export interface ChannelOptions {
  readonly socket: WebSocket
  readonly clock: Clock
  readonly pingMs: number
  readonly onFrame: (frame: Frame) => void
  /** Bytes that arrived below: on a slow path a frame takes longer than the patience for one. */
  readonly bytesRead: () => number
}

/** Without any message for so many pings the path counts as dead. */
const SILENT_PINGS_MAX = 5
const SILENT_MS_MIN = 3_000
const CLOSE_MS = 1_000
/** Beside the data under way, which keep to limits of their own: room for the largest bodies. */
const UNSENT_BYTES_MAX = 2 * BODY_BYTES_MAX
const WEBSOCKET_CLOSE_OK = 1000

/**
 * One session between two gateways: frames over a WebSocket, pings, byte counts, an end with a
 * reason. `run` settles when the socket is closed; every way to end goes through it.
 */
export class Channel {
  readonly clockOffset = new ClockOffset()
  readonly #options: ChannelOptions
  readonly #socket: WebSocket
  readonly #ended = Promise.withResolvers<never>()
  readonly #taken = new Condition()
  readonly #joiner = new MessageJoiner()
  #isOver = false
  #receivedBytes = 0
  #sentBytes = 0
  #unsentBytes = 0
  #heardMs: number
  #heardBytes = 0

  constructor(options: ChannelOptions) {
    this.#options = options
    this.#socket = options.socket
    this.#heardMs = options.clock.monotonicMs()
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  /** Handed to `send`, not yet taken by the operating system. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** `done` is called once the bytes left this process; the buffer may be reused then. */
  send(message: Buffer, done?: () => void): void {
    const { length } = message
    this.#unsentBytes += length
    this.#sentBytes += length
    this.#socket.send(message, { binary: true }, () => {
      this.#unsentBytes -= length
      done?.()
      this.#taken.notifyAll()
    })
  }

  /** A body of any size that a body may have. */
  sendJson(type: JsonFrame['type'], stream: number, body: unknown): void {
    for (const message of splitMessage(encodeJson(type, stream, body))) this.say(message)
  }

  /**
   * A frame that waits for nobody's leave: an answer, an ack, news. So a peer that takes none of
   * them is given up, before they fill the memory.
   */
  say(message: Buffer): void {
    if (this.#isOver) return
    if (this.#unsentBytes + message.length > UNSENT_BYTES_MAX) this.fail(deaf(this.#unsentBytes))
    else this.send(message)
  }

  /** Settles once no more than `bytes` wait for the operating system, whichever stream's. */
  async unsentBelow(bytes: number, options: { readonly signal: AbortSignal }): Promise<void> {
    while (this.#unsentBytes > bytes) await this.#taken.wait(options)
  }

  /** Ends the session and says why: to the peer, and to whoever awaits `run`. */
  fail(error: unknown): void {
    this.#isOver = true
    // Whoever awaits `run` hears of it; nobody may yet.
    this.#ended.promise.catch(() => undefined)
    this.#ended.reject(error)
  }

  /** Rejects when the session is over: abort, failure, the peer's farewell or its silence. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, pingMs } = this.#options
    const socket = this.#socket
    const abort = (): void => this.fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    socket.on('error', (cause) => this.fail(lost(cause)))
    socket.on('close', () => this.fail(lost()))
    if (socket.readyState === socket.CLOSED) this.fail(lost())
    // It was paused when it opened, so that no frame came before somebody listened.
    socket.resume()
    const silentMs = Math.max(SILENT_MS_MIN, SILENT_PINGS_MAX * pingMs)
    const timer = setInterval(() => {
      this.#listen()
      if (clock.monotonicMs() - this.#heardMs > silentMs) this.fail(silent(silentMs))
      this.#ping()
    }, pingMs)
    this.#ping()
    try {
      return await this.#ended.promise
    } catch (error) {
      // Nobody is there to hear a farewell or to answer a close: the next dial need not wait.
      if (codeOf(error) === 'ERR_LINK_SILENT') socket.terminate()
      else this.#farewell(error)
      throw error
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', abort)
      await this.#closeSocket()
    }
  }

  #listen(): void {
    const bytes = this.#options.bytesRead()
    if (bytes === this.#heardBytes) return
    this.#heardBytes = bytes
    this.#heardMs = this.#options.clock.monotonicMs()
  }

  #ping(): void {
    this.say(encodePing(Math.round(this.#options.clock.wallMs() * 1000)))
  }

  #receive(data: unknown, isBinary: boolean): void {
    // One chunk from the network can hold many frames: those behind a failure do not count.
    if (this.#isOver) return
    try {
      if (!isBinary || !Buffer.isBuffer(data)) {
        throw new LandbridgeError('ERR_LINK_FRAME', 'the peer sent a message that is not binary')
      }
      this.#receivedBytes += data.length
      const frame = this.#joiner.push(data)
      if (frame !== null) this.#handle(decodeFrame(frame))
    } catch (error) {
      this.fail(error)
    }
  }

  #handle(frame: Frame): void {
    const nowMs = this.#options.clock.wallMs()
    if (frame.type === FrameType.Ping) {
      this.say(encodePong(frame.sentUs, Math.round(nowMs * 1000)))
    } else if (frame.type === FrameType.Pong) {
      this.clockOffset.record(frame.sentUs / 1000, frame.answeredUs / 1000, nowMs)
    } else if (frame.type === FrameType.Close) {
      const { code, message } = parseBody(closeBody, frame.body, 'close')
      throw new LandbridgeError('ERR_LINK_CLOSED', `the peer closed the link: ${message}`, {
        retryable: true,
        details: { peerCode: code },
      })
    } else {
      this.#options.onFrame(frame)
    }
  }

  /** Tells the peer why, as far as the socket still takes it. */
  #farewell(error: unknown): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const code = error instanceof LandbridgeError ? error.code : 'ERR_STOPPED'
    const message = error instanceof LandbridgeError ? error.message : 'the gateway stops'
    if (code === 'ERR_LINK_CLOSED') return
    this.send(encodeJson(FrameType.Close, 0, { code, message: message.slice(0, 2000) }))
  }

  async #closeSocket(): Promise<void> {
    const socket = this.#socket
    socket.removeAllListeners('message')
    if (socket.readyState === socket.CLOSED) return
    const { promise, resolve } = Promise.withResolvers<void>()
    socket.once('close', () => resolve())
    const timer = setTimeout(() => socket.terminate(), CLOSE_MS)
    socket.close(WEBSOCKET_CLOSE_OK)
    await promise
    clearTimeout(timer)
  }
}

function lost(cause?: unknown): LandbridgeError {
  return new LandbridgeError('ERR_LINK_LOST', 'the connection to the peer was lost', {
    cause,
    retryable: true,
  })
}

function deaf(unsentBytes: number): LandbridgeError {
  const message = `the peer takes nothing: ${unsentBytes} bytes wait for it`
  return new LandbridgeError('ERR_LINK_DEAF', message, { retryable: true })
}

function silent(silentMs: number): LandbridgeError {
  return new LandbridgeError('ERR_LINK_SILENT', `nothing came from the peer for ${silentMs} ms`, {
    retryable: true,
  })
}
