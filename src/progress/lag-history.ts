import { ignoreMissing } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import { type Disk, type DiskFile, readAt, realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { ReasonLog } from '../base/reason-log.ts'
import {
  decodeRecord,
  encodeRecord,
  type HistoryRecord,
  type HistoryValues,
  mergeRecords,
  RECORD_BYTES,
} from './history-record.ts'

export interface LagHistoryOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  readonly disk?: Disk
}

export interface HistoryPoint extends HistoryValues {
  /** Where its span begins; milliseconds since 1970. */
  readonly atMs: number
}

export interface HistorySpan {
  readonly fromMs: number
  readonly toMs: number
  readonly pointsMax: number
}

interface Ring {
  readonly slotMs: number
  readonly slots: number
  /** Where it begins in the file. */
  readonly offset: number
}

const SECONDS: Ring = { slotMs: 1_000, slots: 86_400, offset: 0 }
const MINUTES: Ring = { slotMs: 60_000, slots: 129_600, offset: SECONDS.slots * RECORD_BYTES }
/** Whoever asks for much must not hold up the flow: between two pieces others have their turn. */
const SLOTS_AT_ONCE = 2_048
const FILE_MODE = 0o600

/**
 * What the lag of a stream was: a day in seconds, ninety days in minutes, in a file of 9.5 MB at
 * most (LAG.md has its format). A record has its place by its time alone, so that there is nothing
 * besides it to keep right: whatever kills the gateway, each record is whole or is not there.
 *
 * Written beside the flow, and not synced: a loss of power costs some seconds of history, a full
 * disk what comes while it is full.
 */
export class LagHistory {
  readonly #options: LagHistoryOptions
  readonly #disk: Disk
  readonly #reasons: ReasonLog
  #file: DiskFile | null = null
  /** Of the minute that is being filled. */
  #minute: HistoryRecord | null = null

  constructor(options: LagHistoryOptions) {
    this.#options = options
    this.#disk = options.disk ?? realDisk
    this.#reasons = new ReasonLog(options)
  }

  /** Notes what is so now. Never rejects: what cannot be written is logged. */
  async record(values: HistoryValues): Promise<void> {
    const { path, clock } = this.#options
    try {
      const file = await this.#opened()
      const nowMs = clock.wallMs()
      const second = { slot: Math.floor(nowMs / SECONDS.slotMs), count: 1, values }
      const slot = Math.floor(nowMs / MINUTES.slotMs)
      const before = this.#minute?.slot === slot ? this.#minute : await this.#read(MINUTES, slot)
      this.#minute = mergeRecords(slot, before === null ? [second] : [before, second])
      await this.#write(file, SECONDS, second)
      await this.#write(file, MINUTES, this.#minute)
      this.#reasons.over()
    } catch (cause) {
      await this.close()
      const error = new LandbridgeError('ERR_LAG_HISTORY', `${path} cannot be written`, {
        cause,
        retryable: true,
        remedy: 'Make room on the disk of dataDir, or remove the file: it is made anew.',
      })
      this.#reasons.warnOf('the history of the lag has a gap', error)
    }
  }

  /**
   * At most `pointsMax` points, and how much time each stands for; spans of which nothing is known
   * have none. Rejects with the system's error.
   */
  async read(span: HistorySpan): Promise<{ stepMs: number; points: HistoryPoint[] }> {
    const { fromMs, toMs, pointsMax } = span
    const wantedMs = Math.max(0, toMs - fromMs) / pointsMax
    const isRecent = fromMs > this.#options.clock.wallMs() - SECONDS.slots * SECONDS.slotMs
    const ring = isRecent && wantedMs < MINUTES.slotMs ? SECONDS : MINUTES
    const perPoint = Math.max(1, Math.ceil(wantedMs / ring.slotMs))
    const stepMs = perPoint * ring.slotMs
    const records = await this.#range(ring, Math.floor(fromMs / ring.slotMs), toMs)
    const points = groupsOf(records, perPoint).map(([slot, group]) => {
      return { atMs: slot * stepMs, ...mergeRecords(slot, group).values }
    })
    return { stepMs, points }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    this.#minute = null
    await file?.close().catch(() => undefined)
  }

  async #opened(): Promise<DiskFile> {
    this.#file ??= await this.#open()
    return this.#file
  }

  async #open(): Promise<DiskFile> {
    const { path } = this.#options
    const file = await this.#disk.open(path, 'r+').catch(ignoreMissing)
    if (file) return file
    const made = await this.#disk.open(path, 'w', FILE_MODE)
    await made.close()
    return await this.#disk.open(path, 'r+')
  }

  async #write(file: DiskFile, ring: Ring, record: HistoryRecord): Promise<void> {
    const bytes = encodeRecord(record)
    const { bytesWritten } = await file.writev([bytes], placeOf(ring, record.slot))
    if (bytesWritten < bytes.length) throw new Error(`${bytesWritten} bytes of a record written`)
  }

  async #read(ring: Ring, slot: number): Promise<HistoryRecord | null> {
    const file = await this.#opened()
    const record = decodeRecord(await readAt(file, placeOf(ring, slot), RECORD_BYTES))
    return record?.slot === slot ? record : null
  }

  /** Those that are there, from slot `from` up to `toMs`, which it does not include. */
  async #range(ring: Ring, from: number, toMs: number): Promise<HistoryRecord[]> {
    const end = Math.ceil(toMs / ring.slotMs)
    const first = Math.max(from, end - ring.slots)
    const file = await this.#disk.open(this.#options.path, 'r').catch(ignoreMissing)
    if (!file) return []
    try {
      const records: HistoryRecord[] = []
      for (let slot = first; slot < end; ) {
        const index = slot % ring.slots
        const count = Math.min(end - slot, ring.slots - index, SLOTS_AT_ONCE)
        const bytes = await readAt(file, ring.offset + index * RECORD_BYTES, count * RECORD_BYTES)
        for (let at = 0; at < count; at += 1) {
          const record = decodeRecord(bytes, at * RECORD_BYTES)
          if (record?.slot === slot + at) records.push(record)
        }
        slot += count
      }
      return records
    } finally {
      await file.close()
    }
  }
}

function placeOf(ring: Ring, slot: number): number {
  return ring.offset + (slot % ring.slots) * RECORD_BYTES
}

/** By points of so many slots, in order. */
function groupsOf(
  records: readonly HistoryRecord[],
  perPoint: number,
): [point: number, records: HistoryRecord[]][] {
  const groups = new Map<number, HistoryRecord[]>()
  for (const record of records) {
    const point = Math.floor(record.slot / perPoint)
    const group = groups.get(point)
    if (group === undefined) groups.set(point, [record])
    else group.push(record)
  }
  return [...groups]
}
