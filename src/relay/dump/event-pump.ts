import { LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import type { EventHeader } from '../../binlog/event-framer.ts'
import { EVENT_CHECKSUM_BYTES, EVENT_HEADER_BYTES, EventType } from '../../binlog/event-type.ts'
import { GTID_EVENT_BODY_BYTES_MAX } from '../../binlog/gtid-event.ts'
import {
  createTransactionTracker,
  type TransactionTracker,
} from '../../binlog/transaction-tracker.ts'
import { PACKET_HEADER_BYTES, PACKET_PAYLOAD_MAX } from '../../mysql/packet-decoder.ts'
import type { PacketWriter } from '../../mysql/packet-writer.ts'
import type { DumpFilter } from './dump-filter.ts'

export interface EventPumpOptions {
  readonly flavor: Flavor
  readonly writer: PacketWriter
  readonly filter: DumpFilter
  /** ANNOTATE_ROWS events are for MariaDB replicas that ask for them. */
  readonly sendAnnotateRows: boolean
}

export interface PumpRun {
  /** Bytes of the file dealt with; more than were given when the rest of an event is left out. */
  readonly consumed: number
  readonly written: number
}

/** A stored rotate event: where the next file begins, as every reader of it now believes. */
export interface RotatedTo {
  readonly name: string
  readonly offset: number
}

const GTID_HEAD_BYTES = EVENT_HEADER_BYTES + GTID_EVENT_BODY_BYTES_MAX
/** Every packet of the stream starts with a zero byte, as an OK would. */
const OK_BYTES = 1
const PREFIX_BYTES = PACKET_HEADER_BYTES + OK_BYTES
const ROTATE_OFFSET_BYTES = 8
const EMPTY = Buffer.alloc(0)
const GTID = 1
const BETWEEN = 2

/** What an event type means for leaving out transactions; 0 for members of a group. */
const ROLES = { mysql: new Uint8Array(256), mariadb: new Uint8Array(256) } as const
for (const roles of Object.values(ROLES)) {
  for (const type of [
    EventType.MysqlGtid,
    EventType.MysqlAnonymousGtid,
    EventType.MysqlTaggedGtid,
    EventType.MariadbGtid,
  ]) {
    roles[type] = GTID
  }
  for (const type of [
    EventType.Stop,
    EventType.Rotate,
    EventType.FormatDescription,
    EventType.MysqlPreviousGtids,
    EventType.MariadbBinlogCheckpoint,
    EventType.MariadbGtidList,
    EventType.MariadbStartEncryption,
  ]) {
    roles[type] = BETWEEN
  }
}
// Behind a group of MariaDB's, or one that broke off. MySQL's is a group with a GTID of its own.
ROLES.mariadb[EventType.Incident] = BETWEEN

/**
 * Turns a run of a binlog file into the packets of a dump: bytes in, bytes out, no object per
 * event. An event of any size passes through in pieces; its packets are split at 16 MiB.
 *
 *     boundary ──whole event here──▶ boundary
 *     boundary ──larger──▶ inside ──last byte──▶ boundary
 *     boundary ──GTID that the replica has──▶ leaving out ──last event of its group──▶ boundary
 *     boundary ──last GTID wanted──▶ ... ──last event of its group──▶ done
 *
 * Only a group that is left out, or the last one, is followed to its end: in all others the events
 * decide nothing here. What stands between two groups (an incident, an event type invented
 * tomorrow) is sent, whatever came before it.
 */
export class EventPump {
  readonly #writer: PacketWriter
  readonly #filter: DumpFilter
  readonly #sendAnnotateRows: boolean
  readonly #roles: Uint8Array
  readonly #tracker: TransactionTracker
  /** One for all events that the tracker sees. */
  readonly #header: EventHeader = {
    timestamp: 0,
    type: 0,
    serverId: 0,
    size: 0,
    logPos: 0,
    flags: 0,
  }
  #failure: unknown = null
  #isDone = false
  /** The GTID event that stands at the boundary was judged already. */
  #isJudged = false
  #isLeavingOut = false
  #hasLeftOut = false
  #mustReport = false
  /** Of the event that is being passed through; the last packet of it may have to be empty. */
  #eventLeft = 0
  #packetLeft = 0
  #isPacketFull = false
  #checksumBytes = 0
  #rotatedTo: RotatedTo | null = null
  /** Of the current run: read from and written to. */
  #at = 0
  #to = 0

  constructor(options: EventPumpOptions) {
    this.#writer = options.writer
    this.#filter = options.filter
    this.#sendAnnotateRows = options.sendAnnotateRows
    this.#roles = ROLES[options.flavor]
    this.#tracker = createTransactionTracker(options.flavor)
  }

  /**
   * What forbids to go on, null while nothing does. A run keeps it instead of throwing it: what it
   * had prepared before that goes out first, or numbers would be missing in the row of packets.
   */
  get failure(): unknown {
    return this.#failure
  }

  /** The replica has all that it wanted: nothing more is to be sent. */
  get isDone(): boolean {
    return this.#isDone && !this.isInside
  }

  /** True in the middle of an event: nothing else may be sent now. */
  get isInside(): boolean {
    return this.#eventLeft > 0 || this.#isPacketFull
  }

  /** True when transactions were left out and the replica has not been told yet. */
  get hasLeftOut(): boolean {
    return this.#hasLeftOut
  }

  /** The run stopped because the replica is to be told first; `reported` lets it go on. */
  get mustReport(): boolean {
    return this.#mustReport
  }

  reported(): void {
    this.#hasLeftOut = false
    this.#mustReport = false
  }

  /** Where the file's own rotate event has sent the replica; null before it. */
  get rotatedTo(): RotatedTo | null {
    return this.#rotatedTo
  }

  /** A new file starts: groups do not go on across files. */
  startFile(options: { readonly checksum: boolean }): void {
    this.#endGroup()
    this.#isJudged = false
    this.#rotatedTo = null
    this.#checksumBytes = options.checksum ? EVENT_CHECKSUM_BYTES : 0
  }

  /**
   * `input` holds the file's bytes from `offset`; no event that goes past `limit` is begun. Stops
   * when either buffer is used up, so call again with what follows.
   */
  run(input: Buffer, offset: number, limit: number, output: Buffer): PumpRun {
    this.#at = 0
    this.#to = 0
    if (this.isInside) this.#passThrough(input, output)
    try {
      while (!this.isInside && !this.#isDone && input.length - this.#at >= EVENT_HEADER_BYTES) {
        const size = input.readUInt32LE(this.#at + 9)
        if (size < EVENT_HEADER_BYTES) refuseSize(size, offset + this.#at)
        if (offset + this.#at + size > limit) break
        if (!this.#event(input, size, offset + this.#at, output)) break
      }
    } catch (error) {
      this.#failure = error
    }
    return { consumed: this.#at, written: this.#to }
  }

  /** Deals with the event at `#at`; false when it has to wait for the next run. */
  #event(input: Buffer, size: number, place: number, output: Buffer): boolean {
    const at = this.#at
    const type = input[at + 4] as number
    const role = this.#roles[type]
    if (role === GTID) {
      if (!this.#isJudged && !this.#judge(input, size, place)) return false
    } else if (role === BETWEEN && this.#isLeavingOut) this.#endGroup()
    if (this.#isLeavingOut) return this.#leaveOut(input, size, place)
    if (type === EventType.MariadbAnnotateRows && !this.#sendAnnotateRows) {
      this.#at += size
      return true
    }
    if (this.#hasLeftOut) {
      this.#mustReport = true
      return false
    }
    if (output.length - this.#to < PREFIX_BYTES) return false
    if (type === EventType.Rotate) {
      if (input.length - at < size) return false
      this.#rotated(input.subarray(at + EVENT_HEADER_BYTES, at + size - this.#checksumBytes))
    }
    if (this.#filter.isLast && role !== GTID) {
      if (!this.#observe(input, size, place)) return false
      // Where no group was open, nothing at all was wanted: the server ends behind one event then.
      this.#isDone = !this.#tracker.isInside && type !== EventType.MariadbStartEncryption
    }
    this.#begin(size, output)
    this.#passThrough(input, output)
    this.#isJudged = false
    return true
  }

  /** Asks what becomes of the group that begins here; false when its GTID is not all there. */
  #judge(input: Buffer, size: number, place: number): boolean {
    const headBytes = Math.min(size, GTID_HEAD_BYTES)
    if (input.length - this.#at < headBytes) return false
    this.#endGroup()
    this.#isLeavingOut = this.#filter.isHeld(input.subarray(this.#at, this.#at + headBytes))
    this.#isJudged = true
    if (this.#isLeavingOut || this.#filter.isLast) this.#observe(input, size, place)
    return true
  }

  #leaveOut(input: Buffer, size: number, place: number): boolean {
    if (!this.#isJudged && !this.#observe(input, size, place)) return false
    this.#isJudged = false
    this.#hasLeftOut = true
    this.#at += size
    if (!this.#tracker.isInside) {
      this.#isLeavingOut = false
      this.#isDone = this.#filter.isLast
    }
    return true
  }

  /** Shows an event to the tracker; false when it wants to see bytes that are not here yet. */
  #observe(input: Buffer, size: number, place: number): boolean {
    const body = this.#at + EVENT_HEADER_BYTES
    const header = this.#header
    header.type = input[this.#at + 4] as number
    header.serverId = input.readUInt32LE(this.#at + 5)
    header.size = size
    const wanted = Math.min(this.#tracker.captureBytes(header), size - EVENT_HEADER_BYTES)
    if (input.length - body < wanted) return false
    this.#tracker.observe(header, wanted === 0 ? EMPTY : input.subarray(body, body + wanted), place)
    return true
  }

  #endGroup(): void {
    this.#isLeavingOut = false
    this.#tracker.reset()
  }

  #rotated(body: Buffer): void {
    if (body.length < ROTATE_OFFSET_BYTES) return
    const offset = Number(body.readBigUInt64LE(0))
    this.#rotatedTo = { name: body.toString('utf8', ROTATE_OFFSET_BYTES), offset }
  }

  /** Writes the first packet's header and the zero byte before the event. */
  #begin(size: number, output: Buffer): void {
    const payloadBytes = Math.min(size + OK_BYTES, PACKET_PAYLOAD_MAX)
    this.#writer.writeHeader(output, this.#to, payloadBytes)
    output[this.#to + PACKET_HEADER_BYTES] = 0
    this.#to += PREFIX_BYTES
    this.#eventLeft = size
    this.#packetLeft = payloadBytes - OK_BYTES
    this.#isPacketFull = payloadBytes === PACKET_PAYLOAD_MAX
  }

  #passThrough(input: Buffer, output: Buffer): void {
    for (;;) {
      const room = Math.min(this.#packetLeft, output.length - this.#to)
      const length = Math.min(room, input.length - this.#at)
      if (length > 0) {
        input.copy(output, this.#to, this.#at, this.#at + length)
        this.#at += length
        this.#to += length
        this.#packetLeft -= length
        this.#eventLeft -= length
      }
      if (this.#packetLeft > 0 || !this.#isPacketFull) return
      if (output.length - this.#to < PACKET_HEADER_BYTES) return
      const payloadBytes = Math.min(this.#eventLeft, PACKET_PAYLOAD_MAX)
      this.#writer.writeHeader(output, this.#to, payloadBytes)
      this.#to += PACKET_HEADER_BYTES
      this.#packetLeft = payloadBytes
      this.#isPacketFull = payloadBytes === PACKET_PAYLOAD_MAX
    }
  }
}

function refuseSize(size: number, offset: number): never {
  throw new LandbridgeError('ERR_EVENT_SIZE', `a stored event claims ${size} bytes`, {
    details: { size, offset },
  })
}
