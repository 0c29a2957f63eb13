import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Channel } from './channel.ts'
import { DATA_HEADER_BYTES, encodeFile, writeDataHeader } from './frame.ts'
import { SendWindow } from './send-window.ts'
import type { ByteTarget } from './source-port.ts'

/** How fast bytes may go: of Data frames as they are sent, compressed and with their header. */
export interface ByteThrottle {
  /** How large the next frame should be; infinite without a limit. */
  readonly pieceBytes: number
  /** Since when nothing may pass, on the monotonic clock; null while something may. */
  readonly pausedAtMs: number | null
  /** Settles when the next frame may pass; `passed` has to be told how large it was. */
  admit(options: {
    readonly signal?: AbortSignal
  }): Promise<{ readonly bytesMax: number; passed(bytes: number): void }>
  /** Settles once something may pass at all. */
  released(signal: AbortSignal): Promise<void>
}

export interface FrameTargetOptions {
  readonly channel: Channel
  readonly stream: number
  readonly windowBytes: number
  readonly throttle: ByteThrottle
  readonly compression: 'auto' | 'zstd' | 'none'
  /** Without a byte acknowledged, or paused, for so long, the dump is given up for a while. */
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

/** What goes as one frame: all of an item, or at a small rate a part of it. */
interface Piece {
  /** With room for the header before the payload. */
  readonly message: Buffer
  readonly offset: number
  readonly bytes: number
  readonly readAtUs: number
}

type Item = DataItem | { readonly name: string; readonly offset: number }

interface ThrottledPiece extends Piece {
  passed(bytes: number): void
}

/** A frame's payload as it is sent: smaller than the limit, so that a pause reacts quickly. */
const PAYLOAD_BYTES = 256 * 1024
const PAYLOAD_BYTES_MIN = 16 * 1024
const QUEUE_BYTES_MAX = 1024 * 1024
/** Under a limit no more is read ahead than so many pieces: seconds of it. */
const QUEUE_PIECES_MAX = 20
const QUEUE_BYTES_MIN = 64 * 1024
/** A piece may be so much larger than its share, in the hope that it is compressed as the last. */
const HOPED_SHARE_MIN = 0.25
/** So long after it last waited for the throttle, a stream still counts as held back by it. */
const HELD_MS = 1_000
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
  /** Sent bytes of a frame for each byte of its payload, of the last one. */
  #wireShare = 1
  #heldAtMs = Number.NEGATIVE_INFINITY
  /** Since when a frame waits for the throttle; null while none does. */
  #heldSinceMs: number | null = null
  #sentFile: string | null = null
  #sentOffset = 0

  constructor(options: FrameTargetOptions) {
    this.#options = options
    this.window = new SendWindow(options.windowBytes)
  }

  /** Payload bytes handed to the channel, before compression. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** Read, and not yet handed to the channel. */
  get unsentBytes(): number {
    return this.#queuedBytes + (this.#current?.fill ?? 0)
  }

  /** Where what was handed to the channel ends; null before the first file. */
  get sentPlace(): { readonly file: string; readonly offset: number } | null {
    return this.#sentFile === null ? null : { file: this.#sentFile, offset: this.#sentOffset }
  }

  /** Whether it is the throttle for which the next bytes wait. */
  get isHeldBack(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    return nowMs - (this.#heldSinceMs ?? nowMs) >= 1 || nowMs - this.#heldAtMs < HELD_MS
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
    const ahead = Math.max(QUEUE_BYTES_MIN, QUEUE_PIECES_MAX * this.#options.throttle.pieceBytes)
    return this.#queuedBytes < Math.min(QUEUE_BYTES_MAX, ahead)
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

  /**
   * Sends until abort. Rejects with ERR_PARKED when the receiver takes nothing for too long, and
   * with ERR_STREAM_PAUSED when the throttle lets nothing pass for so long: the source must not
   * hold a connection that is full for as long as somebody likes.
   */
  async run(signal: AbortSignal): Promise<never> {
    const ending = new AbortController()
    const pausing = new AbortController()
    const either = AbortSignal.any([signal, pausing.signal])
    const ticking = this.#tick(AbortSignal.any([signal, ending.signal]), pausing)
    try {
      for (;;) {
        const item = this.#queue.shift() ?? this.#takeCurrent()
        if (item === null) await this.#changed.wait({ signal: either })
        else if ('name' in item) this.#sendFile(item)
        else await this.#sendData(item, either)
      }
    } catch (error) {
      throw pausing.signal.aborted && !signal.aborted ? pausing.signal.reason : error
    } finally {
      ending.abort()
      await ticking
    }
  }

  /** Lets whoever waits look at the time: a peer that is silent wakes nobody. */
  async #tick(signal: AbortSignal, pausing: AbortController): Promise<void> {
    const everyMs = this.#options.parkAfterMs / PARK_TICKS
    while (!signal.aborted) {
      await this.#options.clock.sleep(everyMs, { signal }).catch(() => undefined)
      if (this.#pausedMs >= this.#options.parkAfterMs) pausing.abort(paused())
      this.#changed.notifyAll()
    }
  }

  /** How long a frame has waited while nothing may pass. */
  get #pausedMs(): number {
    const { throttle, clock } = this.#options
    if (throttle.pausedAtMs === null || this.#heldSinceMs === null) return 0
    return clock.monotonicMs() - Math.max(throttle.pausedAtMs, this.#heldSinceMs)
  }

  #sendFile(item: { readonly name: string; readonly offset: number }): void {
    this.#begun.push({ name: item.name, sentBytes: this.#sentBytes })
    this.#sentFile = item.name
    this.#sentOffset = item.offset
    this.#options.channel.send(encodeFile(this.#options.stream, item.offset, item.name))
  }

  async #sendData(item: DataItem, signal: AbortSignal): Promise<void> {
    for (let at = 0; at < item.fill; ) {
      const piece = await this.#nextPiece(item, at, signal)
      at += piece.bytes
      await this.#sendPiece(piece, at === item.fill ? item.message : null)
    }
  }

  /** As large as window, throttle and socket let it be just now. */
  async #nextPiece(item: DataItem, at: number, signal: AbortSignal): Promise<ThrottledPiece> {
    const { throttle, channel } = this.#options
    const wanted = Math.min(item.fill - at, this.#rawBytes(throttle.pieceBytes))
    await this.#waitForWindow(wanted, signal)
    const { bytesMax, passed } = await this.#admit(signal)
    await channel.unsentBelow(UNSENT_BYTES_MAX, { signal })
    const bytes = Math.min(wanted, this.#rawBytes(bytesMax))
    const { offset, readAtUs } = item
    // The bytes before a part are of the part before it, which may still be under way.
    const message =
      bytes === item.fill
        ? item.message.subarray(0, DATA_HEADER_BYTES + bytes)
        : Buffer.concat([
            Buffer.alloc(DATA_HEADER_BYTES),
            item.message.subarray(DATA_HEADER_BYTES + at, DATA_HEADER_BYTES + at + bytes),
          ])
    return { message, offset: offset + at, bytes, readAtUs, passed }
  }

  async #sendPiece(piece: ThrottledPiece, lastOf: Buffer | null): Promise<void> {
    const { channel, clock, stream } = this.#options
    const { offset, bytes, readAtUs } = piece
    this.#queuedBytes -= bytes
    this.window.sent(bytes, clock.monotonicMs())
    this.#sentBytes += bytes
    this.#sentOffset = offset + bytes
    const compressed = await this.#compress(piece)
    const message = compressed ?? piece.message
    writeDataHeader(message, {
      ...{ stream, offset, readAtUs, rawBytes: bytes },
      compressed: compressed !== null,
    })
    this.#wireShare = message.length / bytes
    piece.passed(message.length)
    channel.send(message, () => {
      if (lastOf !== null) this.#recycle(lastOf)
      this.#changed.notifyAll()
    })
    this.#changed.notifyAll()
  }

  async #admit(signal: AbortSignal): ReturnType<ByteThrottle['admit']> {
    const { throttle, clock } = this.#options
    const sinceMs = clock.monotonicMs()
    this.#heldSinceMs = sinceMs
    try {
      return await throttle.admit({ signal })
    } finally {
      this.#heldSinceMs = null
      if (clock.monotonicMs() - sinceMs >= 1) this.#heldAtMs = clock.monotonicMs()
    }
  }

  /** How much payload makes a frame of `bytes`, if it is compressed as the last one was. */
  #rawBytes(bytes: number): number {
    if (!Number.isFinite(bytes)) return bytes
    const share = Math.min(1, Math.max(HOPED_SHARE_MIN, this.#wireShare))
    return Math.max(1, Math.floor(Math.max(1, bytes - DATA_HEADER_BYTES) / share))
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
  async #compress(piece: Piece): Promise<Buffer | null> {
    const { compression, channel } = this.#options
    const isFar = (channel.clockOffset.idleRoundTripMs ?? 0) >= WIDE_AREA_ROUND_TRIP_MS
    if (compression === 'none' || (compression === 'auto' && !isFar)) return null
    if (piece.bytes < COMPRESS_BYTES_MIN) return null
    if (this.#compressSkip > 0) {
      this.#compressSkip -= 1
      return null
    }
    const packed = await zstd(piece.message.subarray(DATA_HEADER_BYTES), ZSTD_OPTIONS)
    if (packed.length > piece.bytes * COMPRESS_WORTH) {
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

function paused(): LandbridgeError {
  return new LandbridgeError('ERR_STREAM_PAUSED', 'the throttle lets nothing pass', {
    retryable: true,
  })
}
