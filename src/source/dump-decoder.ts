import { ByteReader } from '../base/cursor.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { isBinlogName, unusableName } from '../binlog/binlog-name.ts'
import { EventFramer, type EventHeader } from '../binlog/event-framer.ts'
import { BINLOG_MAGIC, EVENT_HEADER_BYTES, EventFlag, EventType } from '../binlog/event-type.ts'
import { EventKernel, KERNEL_CHUNK_BYTES_MAX } from '../binlog/kernel/event-kernel.ts'

/** Where the dump's file bytes go. Ranges are valid only during the call. */
export interface DumpSink {
  /** The source accepted the dump. File bytes may follow at once or, on an idle one, much later. */
  accepted(): void
  /** The bytes that follow belong to `name`, from `offset` on. */
  file(name: string, offset: number): void
  bytes(chunk: Buffer, start: number, end: number): void
}

/**
 * `gtid`: it skips held transactions itself. `offset`: it starts at the offset. `count`: it sends
 * the file from its beginning, and what is held is counted off here (for offsets above 4 GiB).
 */
export type ResumeMode = 'gtid' | 'offset' | 'count'

export interface DumpDecoderOptions {
  readonly flavor: Flavor
  /** What was agreed for events before the first format description. */
  readonly checksum: boolean
  /** Where bytes must go on; null: at the beginning of whatever file the source sends first. */
  readonly expect: { readonly file: string; readonly offset: number } | null
  /** How the source was asked to go on inside a file. */
  readonly resume: ResumeMode
  readonly sink: DumpSink
}

/** For all decoders: a sink never calls one. */
const kernel = new EventKernel()
const PACKET_HEADER_BYTES = 4
const PACKET_PAYLOAD_MAX = 0xffffff
const STATUS_BYTES = 1
const BEGIN_BYTES = PACKET_HEADER_BYTES + STATUS_BYTES + EVENT_HEADER_BYTES
/** ERR and EOF packets are shorter than any event. */
const SHORT_PACKET_BYTES_MAX = 64 * 1024
const WRAP = 2 ** 32
const BODY_BYTES_OF_INTEREST = 512

/**
 * Turns the source's packets back into the bytes of its files, without taking events apart:
 * packet headers and status bytes go, made-up events go, everything else is passed on as ranges
 * of the received chunk. Checks every CRC32 and that no byte is missing or doubled.
 *
 *     unaligned ──first event that is not held──▶ aligned ──rotate──▶ aligned in the next file
 *
 * While unaligned (a resume inside a file) the source repeats the file's first events, which the
 * receiver holds already; they are dropped until one begins exactly where the held bytes end.
 */
export class DumpDecoder {
  readonly #options: DumpDecoderOptions
  readonly #sink: DumpSink
  readonly #framer: EventFramer
  #carry: Buffer = EMPTY
  /** Where a chunk is put together with what the one before it left; used again for each. */
  #joined: Buffer = EMPTY
  #packetLeft = 0
  #packetIsFull = false
  #isPacketStart = false
  #sequence = -1
  #file: string | null = null
  #offset = 0
  #aligned = false
  #forward = false
  /** The last event of the file was its rotate event: the source closed it in good order. */
  #closed = false
  #heartbeats = 0
  #isIdle = false
  /** Bytes of the file seen so far, while held ones are counted off. */
  #counted = BINLOG_MAGIC.length
  /** Where in the chunk the kernel's copy begins; -1 while it has none. */
  #loadedAt = -1

  constructor(options: DumpDecoderOptions) {
    this.#options = options
    this.#sink = options.sink
    this.#framer = new EventFramer({ checksum: options.checksum, visitor: this })
  }

  /** Heartbeats seen: the source lives and has nothing new. */
  get heartbeats(): number {
    return this.#heartbeats
  }

  /** A heartbeat came, and no event after it: the source has sent what it had. */
  get isIdle(): boolean {
    return this.#isIdle
  }

  /** Where the next event begins at the source. */
  get position(): { readonly file: string; readonly offset: number } | null {
    return this.#aligned ? this.place : null
  }

  /** The same, or where an event is waited for that is not held yet. */
  get place(): { readonly file: string; readonly offset: number } | null {
    return this.#file === null ? null : { file: this.#file, offset: this.#offset }
  }

  /** Throws coded errors: the source's own (ERR packet), or about what it sent. */
  push(received: Buffer): void {
    const chunk = this.#carry.length === 0 ? received : this.#join(this.#carry, received)
    this.#carry = EMPTY
    this.#loadedAt = -1
    let at = 0
    while (at < chunk.length) {
      if (this.#packetLeft > 0) at = this.#rest(chunk, at)
      else {
        at = this.#plain(chunk, at)
        const next = this.#begin(chunk, at)
        if (next < 0) {
          this.#carry = Buffer.from(chunk.subarray(at))
          return
        }
        at = next
      }
    }
  }

  /** Nearly every chunk ends inside a packet: a new buffer for each would be gigabytes a minute. */
  #join(carry: Buffer, received: Buffer): Buffer {
    const length = carry.length + received.length
    if (this.#joined.length < length) this.#joined = Buffer.allocUnsafeSlow(length)
    carry.copy(this.#joined)
    received.copy(this.#joined, carry.length)
    return this.#joined.subarray(0, length)
  }

  /** Takes the packets of short, sound events at once; returns where another one begins. */
  #plain(chunk: Buffer, at: number): number {
    const { length } = chunk
    const isPlain = this.#aligned && !this.#packetIsFull && this.#framer.hasChecksum
    if (!isPlain || length > KERNEL_CHUNK_BYTES_MAX) return at
    if (this.#loadedAt < 0) {
      this.#loadedAt = at
      kernel.load(chunk, at, length)
    }
    const start = at - this.#loadedAt
    const sequence = (this.#sequence + 1) % 256
    const stop = kernel.unpackDump(start, length - this.#loadedAt, this.#offset, sequence)
    const count = kernel.packetCount
    if (count === 0) return at
    this.#isIdle = false
    this.#closed = false
    const end = stop - count * (PACKET_HEADER_BYTES + STATUS_BYTES)
    this.#sequence = (this.#sequence + count) % 256
    this.#offset += end - start
    this.#sink.bytes(kernel.unpacked, start, end)
    return stop + this.#loadedAt
  }

  /** Returns where the packet's unread part begins, or -1 when more bytes are needed first. */
  #begin(chunk: Buffer, at: number): number {
    const there = chunk.length - at
    if (there < PACKET_HEADER_BYTES) return -1
    const length = chunk.readUIntLE(at, 3)
    const isContinuation = this.#packetIsFull
    if (!isContinuation && there < Math.min(BEGIN_BYTES, PACKET_HEADER_BYTES + length)) return -1
    const isShort = !isContinuation && (length === 0 || chunk[at + PACKET_HEADER_BYTES] !== 0)
    if (isShort) {
      if (length <= SHORT_PACKET_BYTES_MAX && there < PACKET_HEADER_BYTES + length) return -1
      refuse(chunk.subarray(at + PACKET_HEADER_BYTES, at + PACKET_HEADER_BYTES + length))
    }
    this.#checkSequence(chunk[at + 3] as number)
    this.#packetIsFull = length === PACKET_PAYLOAD_MAX
    if (isContinuation) {
      this.#packetLeft = length
      this.#checkEventEnd()
      return at + PACKET_HEADER_BYTES
    }
    this.#packetLeft = length - STATUS_BYTES
    this.#isPacketStart = true
    return this.#rest(chunk, at + PACKET_HEADER_BYTES + STATUS_BYTES)
  }

  #rest(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#packetLeft)
    this.#packetLeft -= end - at
    this.#framer.push(chunk, at, end)
    if (this.#forward) this.#sink.bytes(chunk, at, end)
    this.#checkEventEnd()
    return end
  }

  /** A packet that is not full ends its event. */
  #checkEventEnd(): void {
    if (this.#packetLeft > 0 || this.#packetIsFull || this.#framer.openBytes === 0) return
    throw new LandbridgeError('ERR_MALFORMED', 'a packet of the source ends inside an event', {
      retryable: true,
    })
  }

  #checkSequence(sequence: number): void {
    if (this.#sequence >= 0 && sequence !== (this.#sequence + 1) % 256) {
      throw new LandbridgeError('ERR_MALFORMED', 'the source’s packets are out of order', {
        retryable: true,
      })
    }
    this.#sequence = sequence
  }

  /** Decides, before the first byte is passed on, whether this event is part of the file. */
  onHeader(header: EventHeader): number {
    if (!this.#isPacketStart) throw unexpected('a packet with more than its event')
    this.#isPacketStart = false
    this.#forward = false
    const isHeartbeat =
      header.type === EventType.Heartbeat || header.type === EventType.MysqlHeartbeatV2
    this.#isIdle = isHeartbeat
    if (isHeartbeat) this.#heartbeats += 1
    if (isHeartbeat || header.flags & EventFlag.Artificial) {
      return header.type === EventType.Rotate ? BODY_BYTES_OF_INTEREST : 0
    }
    if (header.type === EventType.Rotate && header.timestamp === 0 && header.logPos === 0) {
      return BODY_BYTES_OF_INTEREST
    }
    if (this.#file === null) throw unexpected('an event before the first rotate')
    if (!this.#aligned) {
      if (!this.#isNextByte(header)) return 0
      // Not before: while nothing was passed on, the dump can still be asked for in another way.
      this.#sink.file(this.#file, this.#offset)
      this.#aligned = true
    }
    this.#checkOffset(header)
    this.#offset += header.size
    this.#forward = true
    this.#closed = header.type === EventType.Rotate
    return 0
  }

  /**
   * MySQL changes the format description that it repeats before an offset, and sums it anew only if
   * the file's events have sums. What is passed on is always as it is in the file.
   */
  mayBeChanged(): boolean {
    return !this.#forward
  }

  onEnd(header: EventHeader, body: Buffer): void {
    if (header.type !== EventType.Rotate || this.#forward) return
    const reader = new ByteReader(body)
    reader.u64()
    const sumBytes = this.#framer.hasChecksum ? 4 : 0
    this.#rotateTo(reader.text(reader.remaining - sumBytes))
  }

  #rotateTo(name: string): void {
    const { expect, sink } = this.#options
    if (this.#file === name) return
    if (!isBinlogName(name)) throw unusableName(name)
    const isFirst = this.#file === null
    if (!isFirst && !this.#aligned && !this.#hasWholeFile()) throw this.#gap(`file ${name}`)
    if (!isFirst) this.#checkRestart(name)
    this.#file = name
    if (isFirst && expect !== null) {
      if (expect.file !== name) {
        throw new LandbridgeError(
          'ERR_SOURCE_FILE',
          `the source begins with ${name}, the spool goes on with ${expect.file}`,
          { retryable: true, details: { file: name } },
        )
      }
      this.#offset = expect.offset
      sink.accepted()
      if (expect.offset > 0) return
    } else if (isFirst) sink.accepted()
    this.#aligned = true
    sink.file(name, 0)
    this.#offset = BINLOG_MAGIC.length
    sink.bytes(BINLOG_MAGIC, 0, BINLOG_MAGIC.length)
  }

  /** Only asked while unaligned: does this event begin where the held bytes end? */
  #isNextByte(header: EventHeader): boolean {
    if (this.#options.resume === 'count') {
      if (this.#counted === this.#offset) return true
      this.#counted += header.size
      if (this.#counted > this.#offset) throw this.#gap(`${this.#counted}`)
      return false
    }
    const isRepeated = REPEATED_TYPES.has(header.type)
    if (header.type === EventType.FormatDescription) return false
    if (header.logPos !== 0) {
      const start = (header.logPos - header.size + WRAP) % WRAP
      if (start === this.#offset % WRAP) return true
    } else if (!isRepeated) return true
    if (isRepeated) return false
    throw this.#gap(`${header.logPos - header.size}`)
  }

  /** The source left the file without an event behind what is held: was there none to send? */
  #hasWholeFile(): boolean {
    const { resume } = this.#options
    return resume === 'offset' || (resume === 'count' && this.#counted === this.#offset)
  }

  /**
   * The first file of a source that was started says when in its format description. To whom MySQL
   * resumes a file by GTID it sends a zero there, in the files after it too (mysql sql/
   * rpl_binlog_sender.cc, m_gtid_clear_fd_created_flag): such a file is asked for anew, by offset.
   */
  #checkRestart(name: string): void {
    const { flavor, resume } = this.#options
    if (flavor !== 'mysql' || resume !== 'gtid' || this.#closed) return
    throw new LandbridgeError(
      'ERR_SOURCE_RESTARTED',
      `the source was started anew before ${name}: that file is asked for by itself`,
      { retryable: true, details: { file: name } },
    )
  }

  #gap(where: string): LandbridgeError {
    return new LandbridgeError(
      'ERR_SOURCE_GAP',
      `the source goes on at ${where} of ${this.#file}, the spool ends at ${this.#offset}`,
      { retryable: true },
    )
  }

  #checkOffset(header: EventHeader): void {
    // 0 inside groups on MariaDB 11.4 and later; wraps at 4 GiB everywhere.
    if (header.logPos === 0 || header.logPos === (this.#offset + header.size) % WRAP) return
    throw new LandbridgeError(
      'ERR_SOURCE_OFFSET',
      `an event of ${this.#file} says it ends at ${header.logPos}, by our count at` +
        ` ${this.#offset + header.size}`,
      { retryable: true },
    )
  }
}

const EMPTY = Buffer.alloc(0)

/** Between groups: the source repeats them while it skips transactions that are held. */
const REPEATED_TYPES: ReadonlySet<number> = new Set([
  EventType.FormatDescription,
  EventType.MysqlPreviousGtids,
  EventType.MariadbGtidList,
  EventType.MariadbBinlogCheckpoint,
  EventType.MariadbStartEncryption,
])

function unexpected(what: string): LandbridgeError {
  return new LandbridgeError('ERR_MALFORMED', `the source sent ${what}`, { retryable: true })
}

const ERR_PACKET = 0xff
const ERR_PACKET_BYTES_MIN = 3
const EOF_PACKET = 0xfe
const READING_BINLOG_FAILED = 1236

/** An ERR packet, or the EOF of a source that shuts down. */
function refuse(payload: Buffer): never {
  if (payload[0] === EOF_PACKET) {
    throw new LandbridgeError('ERR_SOURCE_CLOSED', 'the source ended the dump', {
      retryable: true,
    })
  }
  if (payload[0] !== ERR_PACKET) throw unexpected('a packet that is no event')
  if (payload.length < ERR_PACKET_BYTES_MIN) throw unexpected('an error packet that is cut short')
  const reader = new ByteReader(payload)
  reader.u8()
  const errno = reader.u16()
  const text = reader
    .rest()
    .toString('utf8')
    .replace(/^#...../, '')
  throw new LandbridgeError('ERR_SOURCE_DUMP', `the source refuses the dump: ${text}`, {
    retryable: errno !== READING_BINLOG_FAILED,
    details: { errno },
    remedy:
      'The message has the reason of the source. If an event is too large for its ' +
      'max_allowed_packet, no replica can get past it: FLUSH BINARY LOGS there, PURGE BINARY ' +
      'LOGS TO the new file, and reseed the replicas from a backup taken after that, with a new ' +
      'spool directory. Else compare its files with SHOW BINARY LOGS.',
  })
}
