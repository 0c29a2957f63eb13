import type { Clock } from '../../base/clock.ts'
import type { ReadableFile } from '../../base/disk.ts'
import { LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { BINLOG_MAGIC } from '../../binlog/event-type.ts'
import type { LogFile } from '../../binlog/log.ts'
import type { PacketChannel } from '../login/packet-channel.ts'
import type { ServedLog } from '../served-log.ts'
import { dumpRefusal } from './dump-refusal.ts'
import type { DumpStart } from './dump-start.ts'
import { EventPump } from './event-pump.ts'
import { prepareFormatDescription } from './format-description.ts'
import {
  encodeFakeGtidList,
  encodeFakeRotate,
  encodeHeartbeatV1,
  encodeHeartbeatV2,
} from './made-up-events.ts'

export interface DumpStreamOptions {
  readonly store: ServedLog
  readonly channel: PacketChannel
  readonly clock: Clock
  readonly flavor: Flavor
  readonly start: DumpStart
  readonly serverId: number
  /** 0 for none. */
  readonly heartbeatMs: number
  readonly heartbeatV2: boolean
  readonly sendAnnotateRows: boolean
  /** Whether the replica expects a CRC32 before it has seen a format description. */
  readonly checksum: boolean
  /** End at the end of what is stored instead of waiting. */
  readonly nonBlocking: boolean
  /** Called when a new file is begun, before its first byte is sent. */
  readonly onFile: (file: LogFile) => void
  /** Called when `file` was sent and something newer is stored; throws what forbids to go on. */
  readonly beforeNext: (file: LogFile) => void
  /** Called after bytes were sent, and with `caughtUp` when there is no more. */
  readonly onProgress: (file: LogFile, offset: number, caughtUp: boolean) => void
}

/** Larger ones are no faster, and every dump has one. */
const WINDOW_BYTES = 256 * 1024
/** Room for the packet headers of a window full of the smallest events. */
const OUTPUT_BYTES = WINDOW_BYTES + WINDOW_BYTES / 2
const FORMAT_DESCRIPTION_BYTES_MAX = 64 * 1024
/** MySQL's first heartbeat has 32 bits for the position; sending less would stop the replica. */
const HEARTBEAT_V1_POSITION_MAX = 0xffff_ffff

/**
 * Sends stored files to one replica: for each file a made-up rotate event, the format description,
 * then the stored events unchanged, then waits for more or goes on to the next file.
 */
export class DumpStream {
  readonly #options: DumpStreamOptions
  readonly #pump: EventPump
  readonly #input = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES)
  #file: LogFile
  #offset: number
  #checksum: boolean
  #sentMs: number

  constructor(options: DumpStreamOptions) {
    this.#options = options
    this.#file = options.start.file
    this.#offset = options.start.offset
    this.#checksum = options.checksum
    this.#sentMs = options.clock.monotonicMs()
    this.#pump = new EventPump({
      flavor: options.flavor,
      writer: options.channel.writer,
      filter: options.start.filter,
      sendAnnotateRows: options.sendAnnotateRows,
    })
  }

  /** True when the stream stands between two events, so that an error packet can be sent. */
  get isAtBoundary(): boolean {
    return !this.#pump.isInside
  }

  /**
   * Settles when everything was sent (`nonBlocking`, or what the filter says is the last), or
   * rejects on abort, refusal or loss.
   */
  async run(signal: AbortSignal): Promise<void> {
    let isFirst = true
    for (;;) {
      this.#options.onFile(this.#file)
      const handle = await this.#options.store.open(this.#file)
      try {
        await this.#startFile(handle, isFirst)
        await this.#sendFile(handle, signal)
      } finally {
        await handle.close()
      }
      if (this.#pump.isDone) return await this.#sayReached()
      const next = this.#next()
      if (next === undefined) return
      if (next.epoch !== this.#file.epoch) {
        const { store, start } = this.#options
        start.filter.enterEpoch(store.gtidsBeforeEpoch(next.epoch))
      }
      this.#file = next
      this.#offset = BINLOG_MAGIC.length
      isFirst = false
    }
  }

  async #startFile(handle: ReadableFile, isFirst: boolean): Promise<void> {
    const { start, serverId, channel } = this.#options
    const isMidFile = isFirst && this.#offset > BINLOG_MAGIC.length
    const length = Math.min(
      FORMAT_DESCRIPTION_BYTES_MAX,
      this.#options.store.readableBytes(this.#file) - BINLOG_MAGIC.length,
    )
    const { bytesRead } = await handle.read(this.#input, 0, length, BINLOG_MAGIC.length)
    const format = prepareFormatDescription(this.#input.subarray(0, bytesRead), {
      clearCreated: isFirst && start.clearCreated,
      clearPosition: isMidFile,
    })
    const rotate = encodeFakeRotate(this.#file.name, this.#offset, {
      serverId,
      checksum: this.#checksum,
    })
    this.#checksum = format.checksum
    this.#pump.startFile(format)
    await channel.send(asEventPayload(rotate), asEventPayload(format.bytes))
    if (!isMidFile) this.#offset += format.bytes.length
    this.#sent(false)
  }

  async #sendFile(handle: ReadableFile, signal: AbortSignal): Promise<void> {
    const { store, nonBlocking, start } = this.#options
    for (;;) {
      signal.throwIfAborted()
      const limit = store.readableBytes(this.#file)
      if (this.#offset < limit && (await this.#sendUpTo(handle, limit, signal))) continue
      await this.#reportLeftOut()
      if (this.#pump.isDone) return
      const readable = store.readableBytes(this.#file)
      if (readable < this.#offset) throw removed(this.#file.name)
      // It grew while the replica took that: what comes next is here, not in the next file.
      if (readable > limit) continue
      if (this.#next() !== undefined) return
      if (this.#offset < limit) {
        throw new LandbridgeError('ERR_SPOOL_FILE', 'the end of the stored events is no event', {
          details: { file: this.#file.name, offset: this.#offset, limit },
        })
      }
      start.filter.caughtUp()
      this.#sent(true)
      if (nonBlocking) return
      await this.#waitForMore(signal)
    }
  }

  /** The file after this one, once something of it (or behind it) may be served. */
  #next(): LogFile | undefined {
    const { store, beforeNext } = this.#options
    beforeNext(this.#file)
    const next = store.files().find((file) => file.ordinal > this.#file.ordinal)
    if (next === undefined || (store.end()?.ordinal ?? 0) < next.ordinal) return undefined
    if (next.ordinal !== this.#file.ordinal + 1) {
      throw dumpRefusal(`the files after ${this.#file.name} were removed before they were sent`)
    }
    return next
  }

  /** Sends up to `limit`; false when it ends before: the rest is no whole event, or not wanted. */
  async #sendUpTo(handle: ReadableFile, limit: number, signal: AbortSignal): Promise<boolean> {
    let input = await this.#read(handle, limit)
    while (this.#offset < limit) {
      signal.throwIfAborted()
      const { consumed, written } = this.#pump.run(input, this.#offset, limit, this.#output)
      this.#offset += consumed
      if (this.#pump.failure !== null) {
        await this.#write(written)
        throw this.#pump.failure
      }
      if (this.#pump.mustReport) {
        await this.#write(written)
        await this.#reportLeftOut()
        input = await this.#read(handle, limit)
      } else {
        if (consumed === 0 && written === 0) return false
        // The next window is read while this one is on its way.
        const [, next] = await Promise.all([this.#write(written), this.#read(handle, limit)])
        if (this.#pump.isDone) return false
        input = next
        await this.#heartbeatWhileLeavingOut()
      }
    }
    // The last packet of an event may be an empty one for which there was no room.
    while (this.#pump.isInside) {
      await this.#write(this.#pump.run(input.subarray(0, 0), limit, limit, this.#output).written)
    }
    return true
  }

  async #read(handle: ReadableFile, limit: number): Promise<Buffer> {
    const length = Math.max(0, Math.min(WINDOW_BYTES, limit - this.#offset))
    if (length === 0) return this.#input.subarray(0, 0)
    const { bytesRead } = await handle.read(this.#input, 0, length, this.#offset)
    if (bytesRead === 0) {
      throw new LandbridgeError('ERR_SPOOL_FILE', 'a stored file is shorter than its index says', {
        details: { file: this.#file.name, offset: this.#offset, limit },
      })
    }
    return this.#input.subarray(0, bytesRead)
  }

  async #write(length: number): Promise<void> {
    if (length === 0) return
    await this.#options.channel.write(this.#output.subarray(0, length))
    this.#sent(false)
  }

  #sent(caughtUp: boolean): void {
    if (!caughtUp) this.#sentMs = this.#options.clock.monotonicMs()
    this.#options.onProgress(this.#file, this.#offset, caughtUp)
  }

  /** Tells the replica about transactions that were left out, before anything else is sent. */
  async #reportLeftOut(): Promise<void> {
    if (!this.#pump.hasLeftOut || this.#pump.isInside) return
    this.#pump.reported()
    const report = this.#options.start.filter.takeSkipReport()
    if (report.kind === 'heartbeat') await this.#heartbeat()
    else if (report.kind === 'gtid-list') {
      await this.#sendEvent(encodeFakeGtidList(report.gtids, this.#offset, this.#madeUp()))
    }
  }

  /** The replica stops by itself at this, as at the same event of a server. */
  async #sayReached(): Promise<void> {
    const gtids = this.#options.start.filter.lastReport()
    const options = { ...this.#madeUp(), isUntilReached: true }
    await this.#sendEvent(encodeFakeGtidList(gtids, this.#offset, options))
  }

  async #heartbeatWhileLeavingOut(): Promise<void> {
    if (this.#pump.hasLeftOut && this.#heartbeatDueMs() <= 0) await this.#heartbeat()
  }

  #heartbeatDueMs(): number {
    const { heartbeatMs, clock } = this.#options
    if (heartbeatMs === 0) return Number.POSITIVE_INFINITY
    return this.#sentMs + heartbeatMs - clock.monotonicMs()
  }

  /**
   * Names the place where the replica believes to be: it stops at any other. After the rotate event
   * at a file's end that is the next file, also while nothing of it is stored yet.
   */
  async #heartbeat(): Promise<void> {
    const { flavor, heartbeatV2 } = this.#options
    const here = { name: this.#file.name, offset: this.#offset }
    const { name, offset } = this.#pump.rotatedTo ?? here
    if (flavor === 'mysql' && heartbeatV2) {
      await this.#sendEvent(encodeHeartbeatV2(name, offset, this.#madeUp()))
    } else if (flavor === 'mariadb' || offset <= HEARTBEAT_V1_POSITION_MAX) {
      await this.#sendEvent(encodeHeartbeatV1(name, offset, this.#madeUp()))
    }
  }

  #madeUp(): { readonly serverId: number; readonly checksum: boolean } {
    return { serverId: this.#options.serverId, checksum: this.#checksum }
  }

  async #sendEvent(event: Buffer): Promise<void> {
    await this.#options.channel.send(asEventPayload(event))
    this.#sent(false)
  }

  /** Waits until more is stored, with heartbeats in the replica's period. */
  async #waitForMore(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options
    const position = { ordinal: this.#file.ordinal, offset: this.#offset }
    const more = store.waitPast(position, { signal }).then(() => true)
    // If a heartbeat fails first, nobody is left to take its rejection.
    more.catch(() => undefined)
    for (;;) {
      const dueMs = this.#heartbeatDueMs()
      if (dueMs === Number.POSITIVE_INFINITY) return void (await more)
      const done = new AbortController()
      const tick = clock.sleep(Math.max(dueMs, 0), { signal: done.signal }).then(() => false)
      tick.catch(() => undefined)
      try {
        if (await Promise.race([more, tick])) return
      } finally {
        done.abort()
      }
      await this.#heartbeat()
      // A sign of life is nothing that the replica had lacked.
      this.#sent(true)
    }
  }
}

/** In the stream every event follows a zero byte. */
function asEventPayload(event: Buffer): Buffer {
  const payload = Buffer.alloc(event.length + 1)
  event.copy(payload, 1)
  return payload
}

/** `hardLimit` may remove what is being sent. The next file must not take its place unnoticed. */
function removed(name: string): LandbridgeError {
  return new LandbridgeError('ERR_SPOOL_REMOVED', `${name} was removed while it was sent`, {
    retryable: true,
  })
}
