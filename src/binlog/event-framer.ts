import { LandbridgeError } from '../base/errors.ts'
import { EVENT_CHECKSUM_BYTES, EVENT_HEADER_BYTES, EventFlag, EventType } from './event-type.ts'
import { crc32 } from './kernel/crc32.ts'
import {
  EventKernel,
  KERNEL_CHUNK_BYTES_MAX,
  KERNEL_EVENT_BYTES_MAX,
} from './kernel/event-kernel.ts'

/** The fixed 19 bytes. One object per framer, overwritten by each event: copy what must last. */
export interface EventHeader {
  timestamp: number
  type: number
  serverId: number
  /** Whole event: header, body, checksum. */
  size: number
  /** The server's idea of the event's end; wraps at 4 GiB, 0 inside groups on MariaDB 11.4+. */
  logPos: number
  flags: number
}

export interface EventVisitor {
  /** The header is complete. Returns how many bytes of the body to hand to `onEnd`. */
  onHeader(header: EventHeader): number
  /** The last byte was seen and the checksum agreed. `body` is only valid during the call. */
  onEnd(header: EventHeader, body: Buffer): void
  /**
   * Asked when the sum of a format description does not agree that announces events without sums:
   * true if a server may have changed it without summing it anew. Without this method: false.
   */
  mayBeChanged?(): boolean
  /**
   * Asked between events: events that end within so many bytes, and are of no type that begins,
   * ends or stands between transactions, may be reported as one run. Infinity: as far as they go.
   */
  quietBytes?(): number
  /** Such a run was seen, every checksum in it agreed. */
  onQuiet?(bytes: number): void
}

export interface EventFramerOptions {
  /** Whether events carry a CRC32; a format description event overrules it. */
  readonly checksum: boolean
  readonly visitor: EventVisitor
}

/** For all framers: a visitor never pushes into one from its callbacks. */
const kernel = new EventKernel()
const CAPTURE_BYTES_MAX = 64 * 1024
const EMPTY = Buffer.alloc(0)
/** Magic of a format description's last five bytes: algorithm, then CRC. */
const FORMAT_DESCRIPTION_TAIL_BYTES = 1 + EVENT_CHECKSUM_BYTES
const CRC32_ALGORITHM = 1
/** Binlog version 2, server version 50, created 4, header length 1. */
const FORMAT_DESCRIPTION_BYTES_MIN = EVENT_HEADER_BYTES + 57 + FORMAT_DESCRIPTION_TAIL_BYTES

/**
 * Follows a contiguous run of events through arbitrary pieces, in constant memory: only the header,
 * a bounded part of the body and a running CRC32 are kept, never a whole event.
 *
 *     header (19) ──▶ body (captured up to a limit) ──▶ checksum (4) ──▶ onEnd ──▶ header ...
 */
export class EventFramer {
  readonly header: EventHeader = {
    timestamp: 0,
    type: 0,
    serverId: 0,
    size: 0,
    logPos: 0,
    flags: 0,
  }
  readonly #visitor: EventVisitor
  readonly #headerBytes = Buffer.alloc(EVENT_HEADER_BYTES)
  readonly #sum = Buffer.alloc(EVENT_CHECKSUM_BYTES)
  #capture = Buffer.alloc(1024)
  #captureWanted = 0
  #captured = 0
  #seen = 0
  #crc = 0
  #hasChecksum: boolean
  /** Where in the chunk the kernel's copy begins; -1 while it has none. */
  #loadedAt = -1

  constructor(options: EventFramerOptions) {
    this.#visitor = options.visitor
    this.#hasChecksum = options.checksum
  }

  get hasChecksum(): boolean {
    return this.#hasChecksum
  }

  /** Bytes seen of the event that is still open; 0 between events. */
  get openBytes(): number {
    return this.#seen
  }

  /** Bytes that the open event still lacks; its header's while that is incomplete. */
  get missingBytes(): number {
    if (this.#seen === 0) return 0
    return this.#seen < EVENT_HEADER_BYTES
      ? EVENT_HEADER_BYTES - this.#seen
      : this.header.size - this.#seen
  }

  /** Forgets an open event, as when a file ends inside one. */
  reset(checksum: boolean): void {
    this.#seen = 0
    this.#hasChecksum = checksum
  }

  push(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += KERNEL_CHUNK_BYTES_MAX) {
      this.#pushPart(chunk, at, Math.min(end, at + KERNEL_CHUNK_BYTES_MAX))
    }
  }

  #pushPart(chunk: Buffer, start: number, end: number): void {
    let at = start
    this.#loadedAt = -1
    while (at < end) {
      if (this.#seen > 0) at = this.#partial(chunk, at, end)
      else {
        at = this.#quiet(chunk, at, end)
        // The common case: the whole event is here and no state needs to be carried.
        if (end - at >= wholeBytes(chunk, at, end)) {
          this.#begin(chunk, at)
          this.#whole(chunk, at)
          at += this.header.size
        } else if (at < end) {
          at = this.#partial(chunk, at, end)
        }
      }
    }
  }

  /** Passes over what the visitor need not see; returns where that ends. */
  #quiet(chunk: Buffer, at: number, end: number): number {
    if (!this.#hasChecksum) return at
    const quietBytes = this.#visitor.quietBytes?.() ?? 0
    if (quietBytes === 0) return at
    if (this.#loadedAt < 0) {
      this.#loadedAt = at
      kernel.load(chunk, at, end)
    }
    const from = at - this.#loadedAt
    const next =
      kernel.walkTransaction(from, end - this.#loadedAt, from + quietBytes) + this.#loadedAt
    if (next > at) this.#visitor.onQuiet?.(next - at)
    return next
  }

  #begin(bytes: Buffer, at: number): void {
    const header = this.header
    header.timestamp = u32(bytes, at)
    header.type = bytes[at + 4] as number
    header.serverId = u32(bytes, at + 5)
    header.size = u32(bytes, at + 9)
    header.logPos = u32(bytes, at + 13)
    header.flags = (bytes[at + 17] as number) | ((bytes[at + 18] as number) << 8)
    const least = EVENT_HEADER_BYTES + (this.#hasChecksum ? EVENT_CHECKSUM_BYTES : 0)
    const isFormat = header.type === EventType.FormatDescription
    if (header.size < (isFormat ? FORMAT_DESCRIPTION_BYTES_MIN : least)) {
      throw new LandbridgeError('ERR_EVENT_SIZE', `an event claims ${header.size} bytes`, {
        details: { type: header.type, size: header.size },
      })
    }
    const wanted = this.#visitor.onHeader(header)
    const bodyBytes = header.size - EVENT_HEADER_BYTES
    this.#captureWanted = Math.min(isFormat ? bodyBytes : wanted, bodyBytes, CAPTURE_BYTES_MAX)
  }

  #whole(chunk: Buffer, at: number): void {
    const size = this.header.size
    const body = at + EVENT_HEADER_BYTES
    const captured =
      this.#captureWanted === 0 ? EMPTY : chunk.subarray(body, body + this.#captureWanted)
    if (this.header.type === EventType.FormatDescription) {
      this.#finishFormat(chunk.subarray(at, body), captured)
      return
    }
    if (this.#hasChecksum) {
      const sumAt = at + size - EVENT_CHECKSUM_BYTES
      const isLoaded = this.#loadedAt >= 0 && size <= KERNEL_EVENT_BYTES_MAX
      const sum = isLoaded
        ? kernel.sum(at - this.#loadedAt, sumAt - this.#loadedAt)
        : crc32(chunk, at, sumAt)
      if (sum !== u32(chunk, sumAt)) this.#refuseChecksum()
    }
    this.#visitor.onEnd(this.header, captured)
  }

  /** Takes as much as is there of one event; returns where it stopped. */
  #partial(chunk: Buffer, from: number, end: number): number {
    let at = from
    if (this.#seen < EVENT_HEADER_BYTES) {
      const take = Math.min(EVENT_HEADER_BYTES - this.#seen, end - at)
      chunk.copy(this.#headerBytes, this.#seen, at, at + take)
      this.#seen += take
      at += take
      if (this.#seen < EVENT_HEADER_BYTES) return at
      this.#begin(this.#headerBytes, 0)
      this.#captured = 0
      if (this.#capture.length < this.#captureWanted) {
        this.#capture = Buffer.alloc(CAPTURE_BYTES_MAX)
      }
      this.#crc = this.#hasChecksum ? crc32(this.#headerBytes, 0, EVENT_HEADER_BYTES) : 0
      if (this.header.size > this.#seen) return this.#body(chunk, at, end)
      this.#finish()
      return at
    }
    return this.#body(chunk, at, end)
  }

  #body(chunk: Buffer, from: number, end: number): number {
    const stop = Math.min(end, from + this.header.size - this.#seen)
    if (this.#captured < this.#captureWanted) {
      const take = Math.min(this.#captureWanted - this.#captured, stop - from)
      chunk.copy(this.#capture, this.#captured, from, from + take)
      this.#captured += take
    }
    if (this.#hasChecksum) {
      // Everything but the last four bytes is summed; those are the sum itself.
      const summable = this.header.size - EVENT_CHECKSUM_BYTES - this.#seen
      const summed = from + Math.max(0, Math.min(summable, stop - from))
      if (summed > from) this.#crc = crc32(chunk, from, summed, this.#crc)
      if (stop > summed) {
        const sumAt = this.#seen + (summed - from) - (this.header.size - EVENT_CHECKSUM_BYTES)
        chunk.copy(this.#sum, sumAt, summed, stop)
      }
    }
    this.#seen += stop - from
    if (this.#seen === this.header.size) this.#finish()
    return stop
  }

  #finish(): void {
    this.#seen = 0
    const body = this.#capture.subarray(0, this.#captured)
    if (this.header.type === EventType.FormatDescription) {
      this.#finishFormat(this.#headerBytes, body)
      return
    }
    if (this.#hasChecksum && this.#crc !== this.#sum.readUInt32LE(0)) this.#refuseChecksum()
    this.#visitor.onEnd(this.header, body)
  }

  /** The format description says whether the events after it are summed; it always is itself. */
  #finishFormat(headerBytes: Buffer, body: Buffer): void {
    const algorithm = body[body.length - FORMAT_DESCRIPTION_TAIL_BYTES]
    if (body.length !== this.header.size - EVENT_HEADER_BYTES || algorithm === undefined) {
      throw new LandbridgeError('ERR_EVENT_SIZE', 'the format description event is too large')
    }
    const plain = Buffer.from(headerBytes)
    plain.writeUInt16LE(this.header.flags & ~EventFlag.BinlogInUse, 17)
    const sumAt = body.length - EVENT_CHECKSUM_BYTES
    const sum = crc32(body, 0, sumAt, crc32(plain, 0, EVENT_HEADER_BYTES))
    const isChanged = algorithm !== CRC32_ALGORITHM && this.#visitor.mayBeChanged?.() === true
    if (sum !== u32(body, sumAt) && !isChanged) this.#refuseChecksum()
    this.#hasChecksum = algorithm === CRC32_ALGORITHM
    this.#visitor.onEnd(this.header, body)
  }

  #refuseChecksum(): never {
    throw new LandbridgeError(
      'ERR_EVENT_CHECKSUM',
      `the CRC32 of an event of type ${this.header.type} does not agree with its bytes`,
      { retryable: true, details: { type: this.header.type, logPos: this.header.logPos } },
    )
  }
}

/** Size of the event at `at`, or infinity while its header is not all there. */
function wholeBytes(chunk: Buffer, at: number, end: number): number {
  if (end - at < EVENT_HEADER_BYTES) return Number.POSITIVE_INFINITY
  return Math.max(u32(chunk, at + 9), EVENT_HEADER_BYTES)
}

/** Callers have checked the length; Buffer's own reader checks again and costs three times this. */
function u32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}
