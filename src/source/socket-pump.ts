import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { isAbortError, LandbridgeError } from '../base/errors.ts'
import type { DumpDecoder, DumpSink } from './dump-decoder.ts'
import type { SourcePlace } from './dump-watch.ts'
import { silenceLimitMs } from './silence-limit.ts'

/** Takes what the source sends; says when it cannot take more. */
export interface DumpTarget extends DumpSink {
  /** Everything of one received chunk was handed over: a good moment to pass it on. */
  chunkEnd(): void
  /** False: the reader stops reading until `room` settles. */
  readonly hasRoom: boolean
  /** Rejects when the reader should end instead (parked, or the session is over). */
  room(signal: AbortSignal): Promise<void>
}

interface SocketPumpOptions {
  readonly heartbeatMs: number
  /** Of the file that is resumed. */
  readonly heldBytes: number
  readonly clock: Clock
}

/**
 * Moves chunks from the socket into the decoder, in the socket's own callback: no await per chunk.
 * Stops reading while the target has no room, and gives up on a source that falls silent.
 */
export class SocketPump {
  readonly #socket: Duplex
  readonly #decoder: DumpDecoder
  readonly #target: DumpTarget
  readonly #options: SocketPumpOptions
  readonly #ended = Promise.withResolvers<never>()
  #signal: AbortSignal | null = null
  #heardMs = 0
  #registered = false
  #waiting = false
  #dump: Buffer | null = null

  constructor(
    socket: Duplex,
    decoder: DumpDecoder,
    target: DumpTarget,
    options: SocketPumpOptions,
  ) {
    this.#socket = socket
    this.#decoder = decoder
    this.#target = target
    this.#options = options
  }

  /** Where the dump waits, once the source has said that it has nothing more to send. */
  get idlePlace(): SourcePlace | null {
    return this.#waiting || !this.#decoder.isIdle ? null : this.#decoder.place
  }

  fail(error: LandbridgeError): void {
    this.#ended.reject(error)
  }

  async run([register, dump]: readonly [Buffer, Buffer], signal: AbortSignal): Promise<never> {
    const socket = this.#socket
    const { clock, heartbeatMs } = this.#options
    this.#signal = signal
    this.#dump = dump
    this.#heardMs = clock.monotonicMs()
    const abort = (): void => this.#ended.reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (cause) => this.#ended.reject(lost(cause)))
    socket.on('close', () => this.#ended.reject(lost()))
    const watch = setInterval(() => {
      const limitMs = this.#silenceLimitMs()
      if (this.#waiting || clock.monotonicMs() - this.#heardMs < limitMs) return
      this.#ended.reject(silent(limitMs))
    }, heartbeatMs / 2)
    try {
      if (signal.aborted) abort()
      socket.write(register)
      socket.resume()
      return await this.#ended.promise
    } finally {
      clearInterval(watch)
      signal.removeEventListener('abort', abort)
      socket.removeAllListeners('data')
      await destroyed(socket)
    }
  }

  #silenceLimitMs(): number {
    const { heartbeatMs, heldBytes } = this.#options
    const hasBegun = this.#decoder.position !== null || this.#decoder.heartbeats > 0
    return silenceLimitMs({ heartbeatMs, heldBytes, hasBegun })
  }

  #receive(chunk: Buffer): void {
    this.#heardMs = this.#options.clock.monotonicMs()
    try {
      if (!this.#registered) {
        this.#confirmRegistration(chunk)
        return
      }
      this.#decoder.push(chunk)
      this.#target.chunkEnd()
      if (!this.#target.hasRoom) this.#wait()
    } catch (error) {
      this.#socket.pause()
      this.#ended.reject(error)
    }
  }

  /** The OK packet that answers COM_REGISTER_SLAVE; nothing else can come before the dump. */
  #confirmRegistration(chunk: Buffer): void {
    if (chunk[4] !== 0) {
      throw new LandbridgeError('ERR_SOURCE_REGISTER', 'the source does not take us as replica', {
        retryable: true,
        remedy: 'Grant REPLICATION SLAVE to the source login.',
        details: { answer: chunk.subarray(7, 200).toString('utf8') },
      })
    }
    this.#registered = true
    if (this.#dump !== null) this.#socket.write(this.#dump)
  }

  #wait(): void {
    if (this.#waiting || this.#signal === null) return
    this.#waiting = true
    this.#socket.pause()
    this.#target.room(this.#signal).then(
      () => {
        this.#waiting = false
        this.#heardMs = this.#options.clock.monotonicMs()
        this.#socket.resume()
      },
      (error: unknown) => this.#ended.reject(error),
    )
  }
}

async function destroyed(socket: Duplex): Promise<void> {
  if (socket.closed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('close', resolve)
  socket.destroy()
  await promise
}

function lost(cause?: unknown): LandbridgeError {
  return new LandbridgeError('ERR_SOURCE_CLOSED', 'the connection to the source was lost', {
    cause: isAbortError(cause) ? undefined : cause,
    retryable: true,
  })
}

function silent(silentMs: number): LandbridgeError {
  return new LandbridgeError(
    'ERR_SOURCE_SILENT',
    `nothing came from the source for ${Math.round(silentMs)} ms, not even a heartbeat`,
    { retryable: true },
  )
}
