import type { ReadableFile } from '../../base/disk.ts'
import { isLandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import {
  BINLOG_MAGIC,
  EVENT_CHECKSUM_BYTES,
  EVENT_HEADER_BYTES,
  EventType,
} from '../../binlog/event-type.ts'
import type { LogFile } from '../../binlog/log.ts'
import type { ServerError } from '../../mysql/ok-packet.ts'
import type { ServedLog } from '../served-log.ts'
import { eventInfo, eventName } from './event-info.ts'
import { binlogEventsFailed, tooManyEvents } from './server-errors.ts'
import type { EventsWish } from './sql-statement.ts'

export const EVENT_COLUMNS = [
  ...['Log_name', 'Pos', 'Event_type', 'Server_id', 'End_log_pos', 'Info'],
]
const EVENTS_MAX = 1_000
/** Each is read from the disk by itself. */
const SKIP_MAX = 10_000
/** Of an event that is shown. */
const SHOWN_BYTES = 2_048

interface SeenEvent {
  readonly type: number
  readonly serverId: number
  readonly size: number
  readonly logPos: number
  readonly flags: number
  /** Without the checksum; cut where it is long. */
  readonly body: Buffer
}

/** The rows, at most EVENTS_MAX of them, or the error of a server. */
export async function readEventRows(
  store: ServedLog,
  flavor: Flavor,
  wish: EventsWish,
): Promise<string[][] | ServerError> {
  const files = store.files()
  const file = wish.file === null ? files[0] : files.findLast(({ name }) => name === wish.file)
  if (file === undefined) {
    return wish.file === null ? [] : binlogEventsFailed('Could not find target log')
  }
  if (wish.skip > SKIP_MAX) return tooManyEvents(EVENTS_MAX)
  const handle = await store.open(file)
  try {
    return await new EventWalk(handle, file, store.readableBytes(file), flavor).rows(wish)
  } finally {
    await handle.close()
  }
}

class EventWalk {
  readonly #handle: ReadableFile
  readonly #file: LogFile
  readonly #end: number
  readonly #flavor: Flavor
  #checksumBytes = 0

  constructor(handle: ReadableFile, file: LogFile, end: number, flavor: Flavor) {
    this.#handle = handle
    this.#file = file
    this.#end = end
    this.#flavor = flavor
  }

  async rows({ from, skip, count }: EventsWish): Promise<string[][] | ServerError> {
    const first = await this.#read(BINLOG_MAGIC.length)
    let at = Math.max(from ?? 0, BINLOG_MAGIC.length)
    if (at > this.#end && this.#flavor === 'mariadb') return behindEnd(at, this.#end)
    if (at >= this.#end) return []
    // Whether an event begins there, without a walk from the start: it says where it ends.
    const begun = await this.#read(at)
    if (first === null || begun === null) return wrongOffset()
    const isFirst = at === BINLOG_MAGIC.length
    if (!isFirst && begun.logPos !== (at + begun.size) % 2 ** 32) return wrongOffset()
    const rows: string[][] = []
    for (let seen = 0; at < this.#end && rows.length < (count ?? Infinity); seen += 1) {
      const event = await this.#read(at)
      if (event === null) break
      if (rows.length === EVENTS_MAX) return tooManyEvents(EVENTS_MAX)
      if (seen >= skip) rows.push(this.#rowOf(at, event))
      at += event.size
    }
    return rows
  }

  #rowOf(at: number, event: SeenEvent): string[] {
    const { type, serverId, logPos } = event
    const name = eventName(type)
    const info = this.#infoOf(event)
    return [this.#file.name, String(at), name, String(serverId), String(logPos), info]
  }

  #infoOf(event: SeenEvent): string {
    try {
      return eventInfo(this.#flavor, event, event.body)
    } catch (error) {
      // Too short for what its type says, or cut: nothing is known of it.
      if (error instanceof RangeError || isLandbridgeError(error)) return ''
      throw error
    }
  }

  /** Null where no whole event begins. */
  async #read(at: number): Promise<SeenEvent | null> {
    const wanted = Math.min(EVENT_HEADER_BYTES + SHOWN_BYTES, this.#end - at)
    if (wanted < EVENT_HEADER_BYTES) return null
    const bytes = Buffer.alloc(wanted)
    const { bytesRead } = await this.#handle.read(bytes, 0, wanted, at)
    const size = bytesRead < EVENT_HEADER_BYTES ? 0 : bytes.readUInt32LE(9)
    if (size < EVENT_HEADER_BYTES || at + size > this.#end) return null
    const type = bytes.readUInt8(4)
    if (type === EventType.FormatDescription && size <= bytesRead) {
      // One byte says how events are checked, and the checksum of this one is always there.
      const algorithm = bytes.readUInt8(size - EVENT_CHECKSUM_BYTES - 1)
      this.#checksumBytes = algorithm === 1 ? EVENT_CHECKSUM_BYTES : 0
    }
    const end = Math.min(bytesRead, size - this.#checksumBytes)
    return {
      type,
      serverId: bytes.readUInt32LE(5),
      size,
      logPos: bytes.readUInt32LE(13),
      flags: bytes.readUInt16LE(17),
      body: bytes.subarray(EVENT_HEADER_BYTES, end),
    }
  }
}

/** MySQL has nothing to show there. */
function behindEnd(at: number, end: number): ServerError {
  const why = `Requested from pos:${at} is greater than actual file size:${end}`
  return binlogEventsFailed(`Invalid pos specified. ${why}`)
}

function wrongOffset(): ServerError {
  return binlogEventsFailed('Wrong offset or I/O error')
}
