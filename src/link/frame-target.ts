import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Channel } from './channel.ts'
import { DATA_HEADER_BYTES, encodeFile, writeDataHeader } from './frame.ts'
import { SendWindow } from './send-window.ts'
import type { ByteTarget } from './source-port.ts'

export interface ByteThrottle {
  take(bytes: number, options: { readonly signal?: AbortSignal }): Promise<void>
}

export interface FrameTargetOptions {
  readonly channel: Channel
  readonly stream: number
  readonly windowBytes: number
  readonly throttle: ByteThrottle
  readonly compression: 'auto' | 'zstd' | 'none'
  /** Without a byte acknowledged for so long, the dump is given up until there is room. */
  readonly parkAfterMs: number
  readonly clock: Clock
  /** The source accepted the dump. */
  readonly onAccepted: () => void
  /** The first bytes are about to be sent: where they begin is settled. */
  readonly onStart: () => void
}

interface DataItem {
  readonly message: Buffer
  readonly offset: number
  fill: number
  readAtUs: number
}

type Item = DataItem | { readonly name: string; readonly offset: number }

/** A frame's payload as it is sent: smaller than the limit, so that a pause reacts quickly. */
const PAYLOAD_BYTES = 256 * 1024
const PAYLOAD_BYTES_MIN = 16 * 1024
const QUEUE_BYTES_MAX = 1024 * 1024
const UNSENT_BYTES_MAX = 1024 * 1024
const POOL_MAX = 16
/** `auto` compresses from this round trip on: below it, the link is no wide area. */
const WIDE_AREA_ROUND_TRIP_MS = 5
const COMPRESS_BYTES_MIN = 256
const COMPRESS_WORTH = 0.9
const FRAMES_SKIPPED = 32
const PARK_TICKS = 10
const zstd = promisify(zstdCompress)
const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/**
 * Gathers the dump's bytes into frames and sends them as window, throttle and socket allow.
 * While the path is free a frame leaves at the end of every received chunk; while it is not,
 * bytes gather until a frame is full, and then the reader is told to stop.
 */
export class FrameTarget implements ByteTarget {
  readonly window: SendWindow
  readonly #options: FrameTargetOptions
  readonly #changed = new Condition()
  readonly #pool: Buffer[] = []
  #queue: Item[] = []
  #queuedBytes = 0
  #current: DataItem | null = null
  #offset = 0
  #compressSkip = 0
  #sentBytes = 0
  /** Of the files under way: how much was sent when each began. */
  #begun: { readonly name: string; readonly sentBytes: number }[] = []
  #started = false
  #payloadBytes = PAYLOAD_BYTES

  constructor(options: FrameTargetOptions) {
    this.#options = options
    this.window = new SendWindow(options.windowBytes)
  }

  /** Payload bytes handed to the channel, before compression. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** The file that the receiver's synced end is in; null before anything was sent. */
  get ackedFile(): string | null {
    return this.#begun[0]?.name ?? null
  }

  accepted(): void {
    this.#options.onAccepted()
  }

  file(name: string, offset: number): void {
    if (!this.#started) this.#options.onStart()
    this.#started = true
    this.#close()
    this.#queue.push({ name, offset })
    this.#offset = offset
    this.#changed.notifyAll()
  }

  bytes(chunk: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      this.#current ??= this.#begin()
      const current = this.#current
      const take = Math.min(end - at, this.#payloadBytes - current.fill)
      chunk.copy(current.message, DATA_HEADER_BYTES + current.fill, at, at + take)
      current.fill += take
      at += take
      this.#offset += take
      if (current.fill === this.#payloadBytes) this.#close()
    }
  }

  chunkEnd(): void {
    if (this.#current !== null) {
      this.#current.readAtUs = Math.round(this.#options.clock.wallMs() * 1000)
    }
    this.#changed.notifyAll()
  }

  get hasRoom(): boolean {
    return this.#queuedBytes < QUEUE_BYTES_MAX
  }

  async room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom) await this.#changed.wait({ signal })
  }

  acked(total: number): void {
    const { clock, channel } = this.#options
    const idleRoundTripMs = channel.clockOffset.idleRoundTripMs ?? 0
    this.window.acked(total, clock.monotonicMs(), idleRoundTripMs)
    while ((this.#begun[1]?.sentBytes ?? Number.POSITIVE_INFINITY) <= total) this.#begun.shift()
    this.#changed.notifyAll()
  }

  /** Settles once everything that was sent is synced. */
  async drained(signal: AbortSignal): Promise<void> {
    while (this.window.inFlightBytes > 0) await this.#changed.wait({ signal })
  }

  /** Sends until abort. Rejects with ERR_PARKED when the receiver takes nothing for too long. */
  async run(signal: AbortSignal): Promise<never> {
    const ending = new AbortController()
    const ticking = this.#tick(AbortSignal.any([signal, ending.signal]))
    try {
      for (;;) {
        const item = this.#queue.shift() ?? this.#takeCurrent()
        if (item === null) await this.#changed.wait({ signal })
        else if ('name' in item) this.#sendFile(item)
        else await this.#sendData(item, signal)
      }
    } finally {
      ending.abort()
      await ticking
    }
  }

  /** Lets whoever waits look at the time: a peer that is silent wakes nobody. */
  async #tick(signal: AbortSignal): Promise<void> {
    const everyMs = this.#options.parkAfterMs / PARK_TICKS
    while (!signal.aborted) {
      await this.#options.clock.sleep(everyMs, { signal }).catch(() => undefined)
      this.#changed.notifyAll()
    }
  }

  #sendFile(item: { readonly name: string; readonly offset: number }): void {
    this.#begun.push({ name: item.name, sentBytes: this.#sentBytes })
    this.#options.channel.send(encodeFile(this.#options.stream, item.offset, item.name))
  }

  async #sendData(item: DataItem, signal: AbortSignal): Promise<void> {
    const { throttle, channel, clock } = this.#options
    await throttle.take(item.fill, { signal })
    await this.#waitForWindow(item.fill, signal)
    await channel.unsentBelow(UNSENT_BYTES_MAX, { signal })
    this.#queuedBytes -= item.fill
    this.window.sent(item.fill, clock.monotonicMs())
    this.#sentBytes += item.fill
    const compressed = await this.#compress(item)
    const message = compressed ?? item.message.subarray(0, DATA_HEADER_BYTES + item.fill)
    writeDataHeader(message, {
      stream: this.#options.stream,
      offset: item.offset,
      readAtUs: item.readAtUs,
      compressed: compressed !== null,
      rawBytes: item.fill,
    })
    channel.send(message, () => {
      this.#recycle(item.message)
      this.#changed.notifyAll()
    })
    this.#changed.notifyAll()
  }

  async #waitForWindow(bytes: number, signal: AbortSignal): Promise<void> {
    const { clock, parkAfterMs } = this.#options
    let inFlightBytes = this.window.inFlightBytes
    let sinceMs = clock.monotonicMs()
    while (!this.window.fits(bytes)) {
      if (clock.monotonicMs() - sinceMs >= parkAfterMs) {
        throw new LandbridgeError('ERR_PARKED', 'the peer has acknowledged nothing for a while', {
          retryable: true,
          details: { parkAfterMs, inFlightBytes },
        })
      }
      await this.#changed.wait({ signal })
      if (this.window.inFlightBytes === inFlightBytes) continue
      inFlightBytes = this.window.inFlightBytes
      sinceMs = clock.monotonicMs()
    }
  }

  /** Null when compressing is off or does not pay. */
  async #compress(item: DataItem): Promise<Buffer | null> {
    const { compression, channel } = this.#options
    const isFar = (channel.clockOffset.idleRoundTripMs ?? 0) >= WIDE_AREA_ROUND_TRIP_MS
    if (compression === 'none' || (compression === 'auto' && !isFar)) return null
    if (item.fill < COMPRESS_BYTES_MIN) return null
    if (this.#compressSkip > 0) {
      this.#compressSkip -= 1
      return null
    }
    const raw = item.message.subarray(DATA_HEADER_BYTES, DATA_HEADER_BYTES + item.fill)
    const packed = await zstd(raw, ZSTD_OPTIONS)
    if (packed.length > item.fill * COMPRESS_WORTH) {
      this.#compressSkip = FRAMES_SKIPPED
      return null
    }
    return Buffer.concat([Buffer.alloc(DATA_HEADER_BYTES), packed])
  }

  #begin(): DataItem {
    // On a slow path smaller frames, so that others get a turn between them.
    const share = Math.floor(this.window.allowanceBytes / 4)
    this.#payloadBytes = Math.max(PAYLOAD_BYTES_MIN, Math.min(PAYLOAD_BYTES, share))
    const message = this.#pool.pop() ?? Buffer.allocUnsafeSlow(DATA_HEADER_BYTES + PAYLOAD_BYTES)
    const readAtUs = Math.round(this.#options.clock.wallMs() * 1000)
    return { message, offset: this.#offset, fill: 0, readAtUs }
  }

  #close(): void {
    const current = this.#current
    if (current === null) return
    this.#current = null
    this.#queue.push(current)
    this.#queuedBytes += current.fill
    this.#changed.notifyAll()
  }

  /** The frame that is being filled goes as it is when nothing is before it. */
  #takeCurrent(): DataItem | null {
    const current = this.#current
    this.#current = null
    if (current !== null) this.#queuedBytes += current.fill
    return current
  }

  #recycle(message: Buffer): void {
    if (this.#pool.length < POOL_MAX) this.#pool.push(message)
  }
}
