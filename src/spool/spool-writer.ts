import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { isAbortError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { TroubleNow } from '../base/trouble.ts'
import { isBinlogName, unusableName } from '../binlog/binlog-name.ts'
import { diskFailure, isDiskFull, syncFailure } from './disk-failure.ts'
import { DISK_RETRY_MS, DiskTrouble } from './disk-trouble.ts'
import type { Spool } from './spool.ts'
import type { HeldPoint } from './spool-file.ts'
import { SpoolIntake } from './spool-intake.ts'
import type { EpochBeginning } from './spool-lineage.ts'
import { type ScannedBytes, SyncGroup } from './sync-group.ts'
import { TailWriter } from './tail-writer.ts'

export interface SpoolWriterOptions {
  readonly spool: Spool
  readonly clock: Clock
  readonly log: Log
  /** `bytes` more are synced, and with them transactions committed at these times. */
  readonly onSynced: (bytes: number, commitMs: readonly number[]) => void
  /** Writing failed for good: the session must end and resume from what is synced. */
  readonly onBroken: (error: LandbridgeError) => void
}

type QueueItem = { readonly kind: 'file'; readonly tail: TailWriter } | ScannedBytes

/** One writev call takes at most so much. */
const BATCH_BYTES = 4 * 1024 * 1024
const BATCH_BUFFERS_MAX = 512
/** While bytes keep coming, they are synced at least this often, by size and by time. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024
const UNSYNCED_MS_MAX = 50

/**
 * Writes what the link delivers: scanned on arrival (so bad bytes are refused before they are
 * stored), written in batches, synced in groups, then published and acknowledged.
 *
 *     append ──▶ queue (bounded by the link's window) ──▶ writev ──▶ fdatasync ──▶ publish, ack
 *
 * While one group is synced the next one is written; one sync runs at a time, and it publishes only
 * what was written before it began. Files change hands, and a rewind cuts, only when none runs.
 *
 * Owner of the newest file. `rewind` is the only way back: it drops what is not synced.
 */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions
  readonly #spool: Spool
  readonly #changed = new Condition()
  readonly #intake: SpoolIntake
  #queue: QueueItem[] = []
  /** Written, and not covered by a sync that runs. */
  #unsynced: SyncGroup | null = null
  /** The sync that runs. Settles when it is published, or when `#syncFailure` says why not. */
  #syncing: Promise<void> | null = null
  #syncFailure: unknown = null
  #tail: TailWriter | null = null
  #queuedBytes = 0
  #rewind: PromiseWithResolvers<void> | null = null
  #broken = false
  readonly #trouble: DiskTrouble

  constructor(options: SpoolWriterOptions) {
    this.#options = options
    this.#spool = options.spool
    this.#intake = new SpoolIntake(options.spool)
    this.#trouble = new DiskTrouble(options)
  }

  /** What keeps bytes from being stored right now, for status. */
  get trouble(): TroubleNow<LandbridgeError> | null {
    return this.#trouble.now
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        // A failure before a cut, so that it is told; a cut before a sync, so that none vouches for
        // what is cut; a sync before a write, so that those who wait for an ack come first.
        if (this.#rewind !== null && this.#syncing !== null) await this.#syncing
        else if (this.#syncFailure !== null) await this.#failed(this.#takeSyncFailure(), signal)
        else if (this.#rewind !== null) await this.#doRewind(signal)
        else if (this.#isSyncDue()) this.#beginSync()
        else if (this.#queue.length > 0) await this.#step(signal)
        else if (this.#trouble.isFull && this.#syncing === null) await this.#lookForRoom(signal)
        else await this.#changed.wait({ signal })
      }
    } catch (error) {
      if (!isAbortError(error) && !signal.aborted) throw error
    } finally {
      this.#rewind?.reject(signal.reason)
      if (await this.#tellSyncFailure()) await this.#cutBroken()
      await this.#tail?.close()
    }
  }

  /** For now and then: while nothing comes, no sync notices that the folder is gone. */
  async checkPlace(): Promise<void> {
    try {
      await this.#spool.disk.check()
      this.#trouble.over('ERR_SPOOL_FENCED')
    } catch (error) {
      this.#trouble.met(await diskFailure(this.#spool, error))
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
        this.#trouble.over('ERR_DISK_FULL', 'ERR_SPOOL_FLAVOR')
        return
      } catch (error) {
        this.#trouble.metFlavor(error)
        if (!(error instanceof LandbridgeError && error.code === 'ERR_DISK_FULL')) throw error
        await this.#trouble.metFull(error)
        await this.#options.clock.sleep(DISK_RETRY_MS, options)
      }
    }
  }

  /** The same lineage goes on. Throws ERR_SPOOL_FLAVOR. */
  async renewSource(source: EpochBeginning['source']): Promise<void> {
    try {
      await this.#spool.renewSource(source)
      this.#trouble.over('ERR_SPOOL_FLAVOR')
    } catch (error) {
      this.#trouble.metFlavor(error)
      throw error
    }
  }

  /** The bytes that follow belong to `name` from `offset` on. Throws ERR_SPOOL_POSITION. */
  beginFile(name: string, offset: number): void {
    if (this.#broken || this.#rewind !== null) return
    if (isBinlogName(name)) {
      this.#queue.push({ kind: 'file', tail: this.#intake.file(name, offset) })
      this.#changed.notifyAll()
    } else {
      // Nothing of this stream can be stored; the link is of all streams and goes on.
      this.#trouble.met(unusableName(name))
      this.#broken = true
    }
  }

  /**
   * `bytes` begin at `offset` of the current file. Throws what the scan refuses. `written` is
   * called when they are not needed here any more; not when they were dropped.
   */
  append(offset: number, bytes: Buffer, readAtMs: number, written?: () => void): void {
    if (this.#broken || this.#rewind !== null) return
    this.#intake.requireAt(offset)
    try {
      this.#queue.push(this.#intake.scan(bytes, readAtMs, written))
    } catch (error) {
      // Nothing behind bad bytes may be stored, or there would be a hole: a rewind comes next.
      this.#broken = true
      throw error
    }
    this.#queuedBytes += bytes.length
    this.#changed.notifyAll()
  }

  /** One batch of writes, or the next file. */
  async #step(signal: AbortSignal): Promise<void> {
    try {
      const first = this.#queue[0]
      if (first?.kind === 'file') {
        await this.#switchTo(first.tail)
        this.#queue.shift()
        return
      }
      await this.#writeBatch()
      this.#trouble.written()
    } catch (error) {
      await this.#failed(error, signal)
    }
  }

  async #writeBatch(): Promise<void> {
    const items: ScannedBytes[] = []
    let bytes = 0
    for (const item of this.#queue) {
      const isFull = bytes >= BATCH_BYTES || items.length >= BATCH_BUFFERS_MAX
      if (item.kind !== 'bytes' || isFull) break
      items.push(item)
      bytes += item.byteLength
    }
    const tail = this.#tail
    if (tail === null) throw new TypeError('bytes before a file')
    const queue = this.#queue
    await tail.write(items.map((item) => item.bytes))
    for (const item of items) item.written?.()
    // A rewind may have replaced the queue meanwhile; then this batch is cut off again.
    if (this.#queue !== queue) return
    queue.splice(0, items.length)
    for (const item of items) {
      if (this.#unsynced !== null) this.#unsynced.add(item)
      else this.#unsynced = new SyncGroup(tail, item, this.#options.clock.monotonicMs())
    }
  }

  /** Bytes that never stop coming must not keep those before them from being synced. */
  #isSyncDue(): boolean {
    const group = this.#unsynced
    if (group === null || this.#syncing !== null) return false
    if (this.#queue.length === 0 || group.bytes >= UNSYNCED_BYTES_MAX) return true
    return this.#options.clock.monotonicMs() - group.sinceMs >= UNSYNCED_MS_MAX
  }

  /** Goes on by itself; `run` is woken when it is done. */
  #beginSync(): void {
    const group = this.#unsynced
    if (group === null) return
    this.#unsynced = null
    this.#syncing = this.#sync(group)
      .catch((cause: unknown) => {
        this.#syncFailure = cause
      })
      .finally(() => {
        this.#syncing = null
        this.#changed.notifyAll()
      })
  }

  /** Everything written is published, or the failure of a sync is thrown. */
  async #syncAll(): Promise<void> {
    await this.#syncing
    if (this.#syncFailure === null && this.#rewind === null) this.#beginSync()
    await this.#syncing
    const failure = this.#takeSyncFailure()
    if (failure !== null) throw failure
  }

  #takeSyncFailure(): unknown {
    const failure = this.#syncFailure
    this.#syncFailure = null
    return failure
  }

  async #sync(group: SyncGroup): Promise<void> {
    const { tail, last, batches, bytes } = group
    const { file } = tail
    const mayBeOver = this.#trouble.isOvercome
    try {
      await tail.sync()
    } catch (cause) {
      throw await syncFailure(this.#spool, file.path, cause)
    }
    this.#trouble.synced(mayBeOver)
    if (this.#rewind !== null) return
    const commitMs = batches.flatMap((batch) => batch.commitMs)
    file.complete = last.complete
    file.transactions += commitMs.length
    file.firstTimestamp ||= last.firstTimestamp
    file.lastTimestamp = last.lastTimestamp || file.lastTimestamp
    this.#queuedBytes -= bytes
    this.#spool.publish(file, last.boundary, last.hasChecksum, (gtids) => {
      for (const batch of batches) batch.gtids.addTo(gtids)
    })
    this.#options.onSynced(bytes, commitMs)
    await this.#spool.checkpoint(file)
  }

  async #switchTo(tail: TailWriter): Promise<void> {
    await this.#syncAll()
    if (this.#rewind !== null) return
    if (tail.written === 0) {
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
    this.#trouble.over('ERR_BINLOG_NAME')
  }

  /**
   * No transaction goes on in another file: what is behind the last boundary when the next file
   * begins is the torn end that a crash of MariaDB left, and never happened.
   */
  async #cutTornEnd(): Promise<void> {
    const tail = this.#tail
    if (tail === null || tail.file.bytes === 0 || tail.written <= tail.file.bytes) return
    const { name: file, bytes: offset } = tail.file
    const torn = { file, offset, droppedBytes: tail.written - offset }
    this.#options.log.info(torn, 'cut off a transaction that the source never finished')
    await tail.cut(offset)
  }

  async #doRewind(signal: AbortSignal): Promise<void> {
    const done = this.#rewind
    try {
      await this.#cutTail()
      done?.resolve()
    } catch (error) {
      const failure = await diskFailure(this.#spool, error)
      if (failure.code === 'ERR_DISK_FULL') {
        // Some file systems need room even to make room: the rewind stays asked for.
        await this.#trouble.metFull(failure)
        await this.#options.clock.sleep(DISK_RETRY_MS, { signal })
        return
      }
      done?.reject(failure)
    }
    this.#queue = []
    this.#unsynced = null
    this.#queuedBytes = 0
    this.#intake.reset()
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

  /**
   * Not left to the next session: until it comes this process may end, and the next one would find
   * in the page cache, whole, what the system will never bring to the disk.
   */
  async #cutBroken(): Promise<void> {
    try {
      await this.#cutTail()
    } catch (error) {
      // The rewind before the next session does it again.
      this.#trouble.met(await diskFailure(this.#spool, error))
    }
  }

  /** Waits for the sync that runs; true when one had failed that nobody was told of. */
  async #tellSyncFailure(): Promise<boolean> {
    await this.#syncing
    const failure = this.#takeSyncFailure()
    if (failure !== null) this.#trouble.met(await diskFailure(this.#spool, failure))
    return failure !== null
  }

  /** What the disk refused went with its session: only a look says whether there is room now. */
  async #lookForRoom(signal: AbortSignal): Promise<void> {
    if (!(await this.#trouble.lookForRoom(this.#changed, signal))) return
    if (this.#queue.length === 0 && this.#rewind === null) this.#trouble.over('ERR_DISK_FULL')
  }

  /** A full disk is waited for; anything else, and bytes that no sync saved, end the session. */
  async #failed(cause: unknown, signal: AbortSignal): Promise<void> {
    if (isAbortError(cause)) throw cause
    const { clock } = this.#options
    const error = await diskFailure(this.#spool, cause)
    if (error.code === 'ERR_DISK_FULL') await this.#trouble.metFull(error)
    else this.#trouble.met(error)
    // A rewind is asked for: it cuts off what could not be written.
    if (this.#rewind !== null) return
    if (isDiskFull(cause)) return await clock.sleep(DISK_RETRY_MS, { signal })
    this.#broken = true
    this.#queue = []
    // Behind a failed sync no other one may vouch for what was written meanwhile.
    this.#unsynced = null
    await this.#tellSyncFailure()
    await this.#cutBroken()
    // No dump per moment at the source for as long as the disk stays full.
    if (this.#trouble.isFull) await clock.sleep(DISK_RETRY_MS, { signal })
    // A session anew would meet the same name, and the link is of other streams too.
    if (this.#rewind === null && error.code !== 'ERR_BINLOG_NAME') this.#options.onBroken(error)
  }
}
