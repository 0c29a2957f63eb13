import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { isAbortError, type LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { TroubleNow } from '../base/trouble.ts'
import { isBinlogName, unusableName } from '../binlog/binlog-name.ts'
import { diskFailure, isDiskFull, syncFailure } from './disk-failure.ts'
import { DISK_RETRY_MS, DiskTrouble } from './disk-trouble.ts'
import { EpochWriter } from './epoch-writer.ts'
import { NewestFile } from './newest-file.ts'
import type { EpochSource, FileFigures, HeldPoint } from './spool-file.ts'
import { SpoolIntake } from './spool-intake.ts'
import type { EpochBeginning } from './spool-lineage.ts'
import type { KnownSpool } from './spool-presence.ts'
import type { SpoolState } from './spool-state.ts'
import type { SpoolStore } from './spool-store.ts'
import type { ScannedBytes, SyncGroup } from './sync-group.ts'
import { SyncLine } from './sync-line.ts'
import type { TailWriter } from './tail-writer.ts'
import { WriteQueue } from './write-queue.ts'

export interface SpoolWriterOptions {
  readonly store: SpoolStore
  readonly clock: Clock
  readonly log: Log
  /** `bytes` more are synced, and with them transactions committed at these times. */
  readonly onSynced: (bytes: number, commitMs: readonly number[]) => void
  /** Writing failed for good: the session must end and resume from what is synced. */
  readonly onBroken: (error: LandbridgeError) => void
}

/**
 * The writing half of a spool: opened with its fence, and the only one that changes it. Writes
 * what the link delivers: scanned on arrival (so bad bytes are refused before they are stored),
 * written in batches, synced in groups, then published and acknowledged.
 *
 *     append ──▶ queue (bounded by the link's window) ──▶ writev ──▶ fdatasync ──▶ publish, ack
 *
 * While one group is synced the next one is written; one sync runs at a time, and it publishes only
 * what was written before it began. Files change hands, and a rewind cuts, only when none runs.
 *
 * Owner of the newest file. `rewind` is the only way back: it drops what is not synced. Who
 * asks for it waits, in whatever state; what comes meanwhile is dropped.
 */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions
  readonly #store: SpoolStore
  readonly #changed = new Condition()
  readonly #intake: SpoolIntake
  readonly #queue = new WriteQueue()
  readonly #newest: NewestFile
  readonly #syncs: SyncLine
  readonly #trouble: DiskTrouble
  readonly #epochs: EpochWriter
  #state: SpoolState = { state: 'closed' }
  /** Asked for, and not done yet. */
  #rewind: PromiseWithResolvers<void> | null = null
  /** A sync failed, and what it was to save is still in the page cache, not cut off yet. */
  #mustCut = false
  /** Of a `run` that has ended. */
  #ended: AbortSignal | null = null

  constructor(options: SpoolWriterOptions) {
    this.#options = options
    this.#store = options.store
    this.#intake = new SpoolIntake(options.store)
    this.#newest = new NewestFile(options.store, options.log)
    this.#trouble = new DiskTrouble(options)
    this.#epochs = new EpochWriter({ ...options, trouble: this.#trouble })
    this.#syncs = new SyncLine({
      clock: options.clock,
      sync: (group) => this.#sync(group),
      onEnd: () => this.#changed.notifyAll(),
    })
  }

  get state(): SpoolState {
    return this.#state
  }

  /** What keeps bytes from being stored right now, for status. */
  get trouble(): TroubleNow<LandbridgeError> | null {
    return this.#trouble.now
  }

  get queuedBytes(): number {
    return this.#queue.bytes
  }

  /** When the first that came and is not synced was committed, by its source's clock. */
  get arrivingMs(): number | null {
    return this.#syncs.firstCommitMs ?? this.#queue.firstCommitMs ?? this.#intake.openMs
  }

  /**
   * `recall`: which spool was there before, null for none. Throws what it and SpoolStore.open do;
   * then it is closed again.
   */
  async open(
    signal: AbortSignal,
    recall: () => Promise<KnownSpool | null> = async () => null,
  ): Promise<void> {
    this.#state = { state: 'recovering', sinceMs: this.#options.clock.wallMs() }
    try {
      await this.#store.open(signal, await recall())
      this.#state = { state: 'taking' }
    } finally {
      if (this.#state.state === 'recovering') this.#state = { state: 'closed' }
    }
  }

  /** Once `run` has settled. */
  async close(): Promise<void> {
    if (this.#state.state === 'closed') return
    this.#state = { state: 'closed' }
    await this.#store.close()
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        // A failure before a cut, so that it is told; a cut before a sync, so that none vouches for
        // what is cut; a sync before a write, so that those who wait for an ack come first.
        if (this.#rewind !== null && this.#syncs.isSyncing) await this.#syncs.idle()
        else if (this.#syncs.hasFailed) await this.#failed(this.#syncFailure(), signal)
        else if (this.#rewind !== null) await this.#doRewind(signal)
        else if (this.#syncs.isDue(this.#queue.isEmpty)) this.#syncs.begin()
        else if (!this.#queue.isEmpty) await this.#step(signal)
        else if (this.#trouble.isFull && !this.#syncs.isSyncing) await this.#lookForRoom(signal)
        else await this.#changed.wait({ signal })
      }
    } catch (error) {
      if (!isAbortError(error) && !signal.aborted) throw error
    } finally {
      this.#ended = signal
      this.#rewind?.reject(signal.reason)
      await this.#tellSyncFailure()
      if (this.#mustCut) await this.#cutBroken()
      await this.#newest.close()
    }
  }

  /** For now and then: while nothing comes, no sync notices that the folder is gone. */
  async checkPlace(): Promise<void> {
    try {
      await this.#store.fence.check()
      this.#trouble.over('ERR_SPOOL_FENCED')
    } catch (error) {
      this.#trouble.met(await diskFailure(this.#store, error))
    }
  }

  /** Drops everything that is not synced and says what is held. Rejects once `run` was aborted. */
  async rewind(): Promise<HeldPoint | null> {
    this.#ended?.throwIfAborted()
    this.#queue.clear()
    this.#rewind ??= Promise.withResolvers<void>()
    this.#changed.notifyAll()
    await this.#rewind.promise
    return this.#store.catalog.held()
  }

  /** A new lineage. Waits while the disk has no room for its record; `signal` gives it up. */
  async beginEpoch(
    beginning: EpochBeginning,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#epochs.begin(beginning, options)
  }

  /** The same lineage goes on. Throws ERR_SPOOL_FLAVOR. */
  async renewSource(source: EpochSource): Promise<void> {
    await this.#epochs.renewSource(source)
  }

  /** The bytes that follow belong to `name` from `offset` on. Throws ERR_SPOOL_POSITION. */
  beginFile(name: string, offset: number): void {
    if (!this.#isTaking) return
    if (isBinlogName(name)) {
      this.#queue.add({ kind: 'file', tail: this.#intake.file(name, offset) })
      this.#changed.notifyAll()
    } else {
      // Nothing of this stream can be stored; the link is of all streams and goes on.
      this.#trouble.met(unusableName(name))
      this.#state = { state: 'broken' }
    }
  }

  /**
   * `bytes` begin at `offset` of the current file. Throws what the scan refuses. `written` is
   * called when they are not needed here any more; not when they were dropped.
   */
  append(offset: number, bytes: Buffer, readAtMs: number, written?: () => void): void {
    if (!this.#isTaking) return
    this.#intake.requireAt(offset)
    try {
      this.#queue.add(this.#intake.scan(bytes, readAtMs, written))
    } catch (error) {
      // Nothing behind bad bytes may be stored, or there would be a hole: a rewind comes next.
      this.#state = { state: 'broken' }
      throw error
    }
    this.#changed.notifyAll()
  }

  get #isTaking(): boolean {
    return this.#state.state === 'taking' && this.#rewind === null
  }

  /** One batch of writes, or the next file. */
  async #step(signal: AbortSignal): Promise<void> {
    try {
      const file = this.#queue.nextFile
      if (file !== null) {
        await this.#switchTo(file)
        this.#queue.fileDone(file)
        return
      }
      await this.#writeBatch()
      this.#trouble.written()
    } catch (error) {
      await this.#failed(error, signal)
    }
  }

  async #writeBatch(): Promise<void> {
    const items = this.#queue.batch()
    const tail = await this.#newest.write(items.map((item) => item.bytes))
    for (const item of items) item.written?.()
    // A rewind may have dropped them meanwhile; then this batch is cut off again.
    if (!this.#queue.done(items)) return
    for (const item of items) this.#syncs.add(tail, item)
  }

  /** Everything written is published, or the failure of a sync is thrown. */
  async #syncAll(): Promise<void> {
    await this.#syncs.idle()
    if (!this.#syncs.hasFailed && this.#rewind === null) this.#syncs.begin()
    await this.#syncs.idle()
    if (this.#syncs.hasFailed) throw this.#syncFailure()
  }

  #syncFailure(): unknown {
    return this.#syncs.takeFailure()?.cause
  }

  async #sync(group: SyncGroup): Promise<void> {
    const { tail, last, batches, bytes } = group
    const { ordinal, path } = tail.file
    const mayBeOver = this.#trouble.isOvercome
    try {
      await tail.sync()
    } catch (cause) {
      this.#mustCut = true
      throw await syncFailure(this.#store, path, cause)
    }
    this.#trouble.synced(mayBeOver)
    if (this.#rewind !== null) return
    const commitMs = batches.flatMap((batch) => batch.commitMs)
    this.#queue.synced(bytes)
    const figures = this.#grown(tail, last, commitMs.length)
    const gtids = batches.map((batch) => batch.gtids)
    const file = this.#store.publish({ ordinal, figures, checksum: last.hasChecksum, gtids })
    this.#options.onSynced(bytes, commitMs)
    if (file !== undefined) await this.#store.checkpoint(file)
  }

  /** Of the tail's file, with what the scan of its last piece said. */
  #grown({ file }: TailWriter, last: ScannedBytes, transactions: number): FileFigures {
    const before = this.#store.catalog.fileOf(file.ordinal) ?? file
    return {
      bytes: last.boundary,
      complete: last.complete,
      transactions: before.transactions + transactions,
      firstTimestamp: before.firstTimestamp || last.firstTimestamp,
      lastTimestamp: last.lastTimestamp || before.lastTimestamp,
    }
  }

  async #switchTo(tail: TailWriter): Promise<void> {
    await this.#syncAll()
    if (this.#rewind !== null) return
    await this.#newest.goOnTo(tail)
    this.#trouble.over('ERR_BINLOG_NAME')
  }

  async #doRewind(signal: AbortSignal): Promise<void> {
    const done = this.#rewind
    try {
      await this.#cutBack()
      done?.resolve()
    } catch (error) {
      const failure = await diskFailure(this.#store, error)
      if (failure.code === 'ERR_DISK_FULL') {
        // Some file systems need room even to make room: the rewind stays asked for.
        await this.#trouble.metFull(failure)
        await this.#options.clock.sleep(DISK_RETRY_MS, { signal })
        return
      }
      done?.reject(failure)
    }
    this.#queue.reset()
    this.#syncs.drop()
    this.#intake.reset()
    this.#state = { state: 'taking' }
    this.#rewind = null
  }

  /**
   * Not left to the next session: until it comes this process may end, and the next one would find
   * in the page cache, whole, what the system will never bring to the disk.
   */
  async #cutBroken(): Promise<void> {
    try {
      await this.#cutBack()
    } catch (error) {
      // The rewind before the next session does it again.
      this.#trouble.met(await diskFailure(this.#store, error))
    }
  }

  async #cutBack(): Promise<void> {
    await this.#newest.cutBack()
    this.#mustCut = false
  }

  /** Waits for the sync that runs, and reports a failure that nobody was told of. */
  async #tellSyncFailure(): Promise<void> {
    await this.#syncs.idle()
    if (!this.#syncs.hasFailed) return
    this.#trouble.met(await diskFailure(this.#store, this.#syncFailure()))
  }

  /** What the disk refused went with its session: only a look says whether there is room now. */
  async #lookForRoom(signal: AbortSignal): Promise<void> {
    if (!(await this.#trouble.lookForRoom(this.#changed, signal))) return
    if (this.#queue.isEmpty && this.#rewind === null) this.#trouble.over('ERR_DISK_FULL')
  }

  /** A full disk is waited for; anything else, and bytes that no sync saved, end the session. */
  async #failed(cause: unknown, signal: AbortSignal): Promise<void> {
    if (isAbortError(cause)) throw cause
    const { clock } = this.#options
    const error = await diskFailure(this.#store, cause)
    if (error.code === 'ERR_DISK_FULL') await this.#trouble.metFull(error)
    else this.#trouble.met(error)
    // A rewind is asked for: it cuts off what could not be written.
    if (this.#rewind !== null) return
    if (isDiskFull(cause)) return await clock.sleep(DISK_RETRY_MS, { signal })
    this.#state = { state: 'broken' }
    this.#queue.clear()
    // Behind a failed sync no other one may vouch for what was written meanwhile.
    this.#syncs.drop()
    await this.#tellSyncFailure()
    await this.#cutBroken()
    // No dump per moment at the source for as long as the disk stays full.
    if (this.#trouble.isFull) await clock.sleep(DISK_RETRY_MS, { signal })
    // A session anew would meet the same name, and the link is of other streams too.
    if (this.#rewind === null && error.code !== 'ERR_BINLOG_NAME') this.#options.onBroken(error)
  }
}
