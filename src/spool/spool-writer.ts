import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { describeError, isAbortError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { EventHeader } from '../binlog/event-framer.ts'
import type { GtidEvent } from '../binlog/gtid-event.ts'
import { diskFailure, diskFull, hasRoom, isDiskFull } from './disk-failure.ts'
import { FileScanner } from './file-scanner.ts'
import type { EpochBeginning, HeldPoint, Spool } from './spool.ts'
import { isBinlogName, type SpoolFile } from './spool-file.ts'
import { TailWriter } from './tail-writer.ts'
import { TransactionBatch } from './transaction-batch.ts'

export interface SpoolWriterOptions {
  readonly spool: Spool
  readonly clock: Clock
  readonly log: Log
  /** `bytes` more are synced, and with them transactions committed at these times. */
  readonly onSynced: (bytes: number, commitMs: readonly number[]) => void
  /** Writing failed for good: the session must end and resume from what is synced. */
  readonly onBroken: (error: LandbridgeError) => void
}

type QueueItem =
  | { readonly kind: 'file'; readonly tail: TailWriter }
  | {
      readonly kind: 'bytes'
      readonly bytes: Buffer
      readonly written: (() => void) | undefined
      readonly boundary: number
      readonly transactions: TransactionBatch
      readonly complete: boolean
      readonly scanner: FileScanner
    }

/** One writev call takes at most so much. */
const BATCH_BYTES = 4 * 1024 * 1024
const BATCH_BUFFERS_MAX = 512
/** While bytes keep coming, they are synced at least this often, by size and by time. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024
const UNSYNCED_MS_MAX = 50
const DISK_RETRY_MS = 1_000

/**
 * Writes what the link delivers: scanned on arrival (so bad bytes are refused before they are
 * stored), written in batches, synced in groups, then published and acknowledged.
 *
 *     append ──▶ queue (bounded by the link's window) ──▶ writev ──▶ fdatasync ──▶ publish, ack
 *
 * Owner of the newest file. `rewind` is the only way back: it drops what is not synced.
 */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions
  readonly #spool: Spool
  readonly #changed = new Condition()
  #queue: QueueItem[] = []
  /** What the bytes now being scanned complete. */
  #batch = new TransactionBatch()
  /** Written, not yet synced. */
  #written: TransactionBatch[] = []
  #tail: TailWriter | null = null
  #scanner: FileScanner | null = null
  #scanned: SpoolFile | null = null
  #readAtMs = 0
  #queuedBytes = 0
  #writtenBytes = 0
  #unsyncedSinceMs = 0
  #rewind: PromiseWithResolvers<void> | null = null
  #broken = false
  #problem: { readonly error: LandbridgeError; readonly sinceMs: number } | null = null
  /** State after the last written item, published by the next sync. */
  #last: Extract<QueueItem, { kind: 'bytes' }> | null = null

  constructor(options: SpoolWriterOptions) {
    this.#options = options
    this.#spool = options.spool
  }

  /** What keeps bytes from being stored right now, for status. */
  get problem(): { readonly error: LandbridgeError; readonly sinceMs: number } | null {
    return this.#problem
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        if (this.#rewind !== null) await this.#doRewind(signal)
        else if (this.#queue.length > 0) await this.#step(signal)
        else if (this.#isFull) await this.#lookForRoom(signal)
        else await this.#changed.wait({ signal })
      }
    } catch (error) {
      if (!isAbortError(error) && !signal.aborted) throw error
    } finally {
      this.#rewind?.reject(signal.reason)
      await this.#tail?.close()
    }
  }

  /** Drops everything that is not synced and says what is held. */
  async rewind(): Promise<HeldPoint | null> {
    this.#queue = []
    this.#rewind ??= Promise.withResolvers<void>()
    this.#changed.notifyAll()
    await this.#rewind.promise
    return this.#spool.held()
  }

  /** A new lineage. Waits while the disk has no room for its record; `signal` gives it up. */
  async beginEpoch(
    beginning: EpochBeginning,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    for (;;) {
      try {
        await this.#spool.beginEpoch(beginning)
        if (this.#isFull) this.#problem = null
        return
      } catch (error) {
        if (!(error instanceof LandbridgeError && error.code === 'ERR_DISK_FULL')) throw error
        this.#tell(error)
        await this.#options.clock.sleep(DISK_RETRY_MS, options)
      }
    }
  }

  /** The bytes that follow belong to `name` from `offset` on. Throws ERR_SPOOL_POSITION. */
  beginFile(name: string, offset: number): void {
    if (this.#broken || this.#rewind !== null) return
    if (!isBinlogName(name)) {
      throw new LandbridgeError('ERR_MALFORMED', 'the peer sent an unusable file name', {
        details: { name },
      })
    }
    const last = this.#spool.files().at(-1)
    if (offset > 0) {
      const isEnd = last?.name === name && last.bytes === offset
      // Only the first file behind a rewind begins inside; what is queued would be overwritten.
      if (!isEnd || this.#scanner !== null) this.#refusePosition(name, offset)
      this.#start(last, offset, this.#spool.checksum)
      return
    }
    if (this.#spool.epoch === null) this.#refusePosition(name, offset)
    this.#start(this.#spool.addFile(name), 0, false)
  }

  /**
   * `bytes` begin at `offset` of the current file. Throws what the scan refuses. `written` is
   * called when they are not needed here any more; not when they were dropped.
   */
  append(offset: number, bytes: Buffer, readAtMs: number, written?: () => void): void {
    if (this.#broken || this.#rewind !== null) return
    const scanner = this.#scanner
    if (scanner === null || scanner.offset !== offset) {
      this.#refusePosition(this.#scanned?.name ?? '(none)', offset)
    }
    this.#readAtMs = readAtMs
    this.#batch = new TransactionBatch()
    try {
      scanner.push(bytes)
    } catch (error) {
      // Nothing behind bad bytes may be stored, or there would be a hole: a rewind comes next.
      this.#broken = true
      throw error
    }
    this.#queue.push({
      kind: 'bytes',
      bytes,
      written,
      boundary: scanner.boundary,
      transactions: this.#batch,
      complete: scanner.complete,
      scanner,
    })
    this.#queuedBytes += bytes.length
    this.#changed.notifyAll()
  }

  #start(file: SpoolFile, offset: number, checksum: boolean): void {
    const flavor = this.#spool.identity()?.flavor
    if (flavor === undefined) throw new TypeError('a file needs an epoch')
    this.#scanned = file
    this.#scanner = new FileScanner(
      flavor,
      { offset, checksum },
      {
        onTransaction: (gtid: GtidEvent, header: EventHeader) => {
          this.#batch.add(gtid, header, this.#readAtMs)
        },
        onPreviousGtids: () => undefined,
      },
    )
    this.#queue.push({ kind: 'file', tail: new TailWriter(file, offset, this.#spool.disk) })
    this.#changed.notifyAll()
  }

  /** One batch of writes, and a sync when nothing more waits or enough has gathered. */
  async #step(signal: AbortSignal): Promise<void> {
    try {
      const first = this.#queue[0]
      if (first?.kind === 'file') {
        await this.#switchTo(first.tail)
        this.#queue.shift()
        return
      }
      await this.#writeBatch()
      if (this.#queue.length === 0 || this.#isSyncDue()) await this.#sync()
      this.#problem = null
    } catch (error) {
      await this.#failed(error, signal)
    }
  }

  /** Bytes that never stop coming must not keep those before them from being acknowledged. */
  #isSyncDue(): boolean {
    const waitedMs = this.#options.clock.monotonicMs() - this.#unsyncedSinceMs
    return this.#writtenBytes >= UNSYNCED_BYTES_MAX || waitedMs >= UNSYNCED_MS_MAX
  }

  async #writeBatch(): Promise<void> {
    const buffers: Buffer[] = []
    let bytes = 0
    let count = 0
    for (const item of this.#queue) {
      if (item.kind !== 'bytes' || bytes >= BATCH_BYTES || count >= BATCH_BUFFERS_MAX) break
      buffers.push(item.bytes)
      bytes += item.bytes.length
      count += 1
    }
    if (this.#tail === null) throw new TypeError('bytes before a file')
    const queue = this.#queue
    const items = queue.slice(0, count)
    await this.#tail.write(buffers)
    for (const item of items) if (item.kind === 'bytes') item.written?.()
    // A rewind may have replaced the queue meanwhile; then this batch is cut off again.
    if (this.#queue !== queue) return
    this.#last = queue[count - 1] as Extract<QueueItem, { kind: 'bytes' }>
    for (const item of items) if (item.kind === 'bytes') this.#written.push(item.transactions)
    queue.splice(0, count)
    if (this.#writtenBytes === 0) this.#unsyncedSinceMs = this.#options.clock.monotonicMs()
    this.#writtenBytes += bytes
  }

  async #sync(): Promise<void> {
    const last = this.#last
    const tail = this.#tail
    if (last === null || tail === null) return
    const bytes = this.#writtenBytes
    try {
      await tail.sync()
    } catch (cause) {
      // A disk that promises room and then has none says so here.
      if (isDiskFull(cause)) throw diskFull(this.#spool.directory, cause)
      throw new LandbridgeError('ERR_SPOOL_SYNC', `cannot sync ${tail.file.path}`, { cause })
    }
    if (this.#rewind !== null) return
    const { file } = tail
    const batches = this.#written
    const commitMs = batches.flatMap((batch) => batch.commitMs)
    this.#written = []
    file.complete = last.complete
    file.transactions += commitMs.length
    file.firstTimestamp ||= last.scanner.firstTimestamp
    file.lastTimestamp = last.scanner.lastTimestamp || file.lastTimestamp
    this.#last = null
    this.#writtenBytes = 0
    this.#queuedBytes -= bytes
    this.#spool.publish(file, last.boundary, last.scanner.hasChecksum, (gtids) => {
      for (const batch of batches) batch.gtids.addTo(gtids)
    })
    this.#options.onSynced(bytes, commitMs)
    await this.#spool.checkpoint(file)
  }

  async #switchTo(tail: TailWriter): Promise<void> {
    if (tail.written === 0) {
      await this.#sync()
      if (this.#rewind !== null) return
      await this.#cutTornEnd()
      const before = this.#spool.files().at(-1)
      if (before !== undefined) await this.#spool.closeFile(before)
      await this.#spool.applyRetention()
      // Only now everything before the new file is synced.
      tail.file.gtidsBefore = this.#spool.gtidsToStandOn()
    }
    await this.#tail?.close()
    this.#tail = tail
    await tail.open()
  }

  /**
   * No transaction goes on in another file: what is behind the last boundary when the next file
   * begins is the torn end that a crash of MariaDB left, and never happened.
   */
  async #cutTornEnd(): Promise<void> {
    const tail = this.#tail
    if (tail === null || tail.file.bytes === 0 || tail.written <= tail.file.bytes) return
    const { name, bytes } = tail.file
    const torn = { file: name, offset: bytes, droppedBytes: tail.written - bytes }
    this.#options.log.info(torn, 'cut off a transaction that the source never finished')
    await tail.cut(bytes)
  }

  async #doRewind(signal: AbortSignal): Promise<void> {
    const done = this.#rewind
    try {
      await this.#cutTail()
      done?.resolve()
    } catch (error) {
      const failure = diskFailure(this.#spool.directory, error)
      if (failure.code === 'ERR_DISK_FULL') {
        // Some file systems need room even to make room: the rewind stays asked for.
        this.#tell(failure)
        await this.#options.clock.sleep(DISK_RETRY_MS, { signal })
        return
      }
      done?.reject(failure)
    }
    this.#queue = []
    this.#written = []
    this.#queuedBytes = 0
    this.#writtenBytes = 0
    this.#last = null
    this.#scanner = null
    this.#broken = false
    this.#rewind = null
  }

  async #cutTail(): Promise<void> {
    const tail = this.#tail
    await tail?.close()
    for (const file of this.#spool.unpublishedFiles()) {
      await new TailWriter(file, 0, this.#spool.disk).cut(0)
      this.#spool.dropFile(file)
    }
    // The newest file that stays may be the one before the tail, ended within a transaction.
    const newest = this.#spool.files().at(-1)
    if (tail !== null && newest !== undefined) {
      await new TailWriter(newest, newest.bytes, this.#spool.disk).cut(newest.bytes)
    }
    this.#tail = null
    this.#spool.leaveUnusedEpoch()
  }

  get #isFull(): boolean {
    return this.#problem?.error.code === 'ERR_DISK_FULL'
  }

  /** What the disk refused went with its session: only a look says whether there is room now. */
  async #lookForRoom(signal: AbortSignal): Promise<void> {
    const done = new AbortController()
    const options = { signal: AbortSignal.any([signal, done.signal]) }
    const { clock } = this.#options
    try {
      await Promise.race([clock.sleep(DISK_RETRY_MS, options), this.#changed.wait(options)])
    } finally {
      done.abort()
    }
    const isThere = await hasRoom(this.#spool.directory, this.#spool.disk).catch(() => false)
    if (isThere && this.#queue.length === 0 && this.#rewind === null) this.#problem = null
  }

  #tell(error: LandbridgeError): void {
    if (this.#problem?.error.code === error.code) return
    this.#problem = { error, sinceMs: this.#options.clock.wallMs() }
    this.#options.log.error({ code: error.code }, describeError(error))
  }

  /** A full disk is waited for; anything else, and bytes that no sync saved, end the session. */
  async #failed(cause: unknown, signal: AbortSignal): Promise<void> {
    if (isAbortError(cause)) throw cause
    const { clock } = this.#options
    const error = diskFailure(this.#spool.directory, cause)
    this.#tell(error)
    // A rewind is asked for: it cuts off what could not be written.
    if (this.#rewind !== null) return
    if (isDiskFull(cause)) {
      await clock.sleep(DISK_RETRY_MS, { signal })
      return
    }
    this.#broken = true
    this.#queue = []
    // No dump per moment at the source for as long as the disk stays full.
    if (this.#isFull) await clock.sleep(DISK_RETRY_MS, { signal })
    if (this.#rewind === null) this.#options.onBroken(error)
  }

  #refusePosition(name: string, offset: number): never {
    throw new LandbridgeError(
      'ERR_SPOOL_POSITION',
      `the peer sent bytes for ${name} at ${offset}, which is not where the spool ends`,
      { retryable: true, details: { name, offset } },
    )
  }
}
