import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import {
  describeError,
  errorFields,
  isLandbridgeError,
  type LandbridgeError,
} from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { runTogether } from '../base/tasks.ts'
import { Trouble } from '../base/trouble.ts'
import type { SpoolPort } from '../link/source-port.ts'
import { diskFull, failedCall, isDiskFull } from '../spool/disk-failure.ts'
import type { Spool } from '../spool/spool.ts'
import type { EpochRecord } from '../spool/spool-file.ts'
import { SpoolMemory } from '../spool/spool-memory.ts'
import { diskProblems, heldProblems, recordProblems } from '../spool/spool-problems.ts'
import { SpoolRoom } from '../spool/spool-room.ts'
import type { SpoolConfig } from '../spool/spool-section.ts'
import { SpoolStore } from '../spool/spool-store.ts'
import { SpoolWriter } from '../spool/spool-writer.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem, StreamStatus } from '../status/status.ts'
import { makeSpoolPrivate } from './data-directory.ts'

export interface SpoolSupervisorOptions {
  readonly stream: string
  readonly dataDir: string
  readonly config: SpoolConfig
  readonly clock: Clock
  readonly log: Log
  /** `bytes` more are synced, with the transactions in them by when each was committed. */
  readonly onSynced: (bytes: number, commitMs: readonly number[]) => void
  /** The writer gave up what is under way. */
  readonly onBroken: (error: LandbridgeError) => void
  /** Retention is about to look at what is kept for whom. */
  readonly beforeRetention: () => void
}

const RETENTION_EVERY_MS = 60_000
/** A spool of thousands of files is read within seconds. */
const LOADING_MS_MAX = 15_000

/** Opens the spool of a stream, keeps it within its limits, and says what is wrong with it. */
export class SpoolSupervisor {
  readonly spool: Spool
  readonly writer: SpoolWriter
  readonly #options: SpoolSupervisorOptions
  readonly #store: SpoolStore
  readonly #memory: SpoolMemory
  readonly #room: SpoolRoom
  #knownEpoch: EpochRecord | null = null
  readonly #loadTrouble: Trouble<LandbridgeError>

  constructor(options: SpoolSupervisorOptions) {
    this.#options = options
    this.#loadTrouble = new Trouble(options.clock)
    this.#store = createStore(options)
    this.spool = this.#store.spool
    const { directory, disk } = this.#store
    this.#room = new SpoolRoom({ directory, disk, clock: options.clock })
    this.#memory = new SpoolMemory({ ...options, spool: this.spool })
    this.writer = new SpoolWriter({
      store: this.#store,
      clock: options.clock,
      log: options.log,
      onSynced: (bytes, commitMs) => {
        options.onSynced(bytes, commitMs)
        if (this.spool.heldEpoch() !== this.#knownEpoch) this.#enterEpoch()
      },
      onBroken: options.onBroken,
    })
  }

  /** What the receiver writes to. */
  port(): SpoolPort {
    const { writer } = this
    return {
      rewind: () => writer.rewind(),
      beginEpoch: (...epoch) => writer.beginEpoch(...epoch),
      renewSource: (source) => writer.renewSource(source),
      beginFile: (name, offset) => writer.beginFile(name, offset),
      append: (offset, bytes, readAtMs, written) => writer.append(offset, bytes, readAtMs, written),
    }
  }

  /** Tries until it is open, or until abort. */
  async load(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const backoff = new Backoff({ clock })
    while (!signal.aborted) {
      try {
        await this.writer.open(signal, () => this.#memory.recall())
        break
      } catch (error) {
        if (signal.aborted) return
        const failure = await spoolUnusable(this.#store, error)
        if (this.#loadTrouble.met(failure) === 'begun') {
          log.error(errorFields(failure), describeError(failure))
        }
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
    await makeSpoolPrivate(this.spool.directory, log)
    this.#loadTrouble.over()
    await this.#memory.remember()
  }

  /** Once it is open: writes, and removes what is due. */
  async run(signal: AbortSignal): Promise<void> {
    const retention = { run: (stop: AbortSignal) => this.#retain(stop) }
    await runTogether([this.writer, retention, this.#room], signal)
  }

  async close(): Promise<void> {
    await this.writer.close()
  }

  problems(): Problem[] {
    const { stream } = this.#options
    const disk = diskProblems(stream, this.writer.trouble)
    const isFull = disk.some(({ code }) => code === 'ERR_DISK_FULL')
    const held = heldProblems(stream, this.#store.heldBack(), this.spool.lineage(), isFull)
    return [...disk, ...held, ...recordProblems(stream, this.spool.claims.damaged)]
  }

  status(): NonNullable<StreamStatus['spool']> {
    const held = this.spool.held()
    const files = this.spool.storedFiles()
    const epochs = this.#store.catalog.epochs()
    return {
      directory: this.spool.directory,
      synced:
        held === null
          ? null
          : { epoch: held.epoch, file: held.file, offset: held.offset, gtids: held.gtids },
      files: files.length,
      bytes: this.spool.bytes,
      oldestFile: files[0]?.name ?? null,
      room: this.#room.now,
      syncs: this.writer.syncTimes.status(),
      epochs: epochs.length,
      resets: epochs.filter(({ breaksLineage }) => breaksLineage).length,
      claims: this.spool.claims
        .list()
        .map(({ claim, kind, file, bytes, ageMs }) => ({ claim, kind, file, bytes, ageMs })),
    }
  }

  /** Until it is open. */
  loadProblems(): Problem[] {
    const where = `spool:${this.#options.stream}`
    const trouble = this.#loadTrouble.now
    if (trouble !== null) {
      return [
        problemOf(trouble, { severity: trouble.error.retryable ? 'error' : 'blocked', where }),
      ]
    }
    const { state } = this.writer
    if (state.state !== 'recovering') return []
    const { sinceMs } = state
    // Nothing is stored meanwhile: what lasts is worth a call.
    const isLong = this.#options.clock.wallMs() - sinceMs > LOADING_MS_MAX
    const severity = isLong ? 'error' : 'warning'
    const message = 'the spool is being read and checked after a start'
    return [{ code: 'ERR_SPOOL_RECOVERING', severity, where, message, sinceMs }]
  }

  async #retain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#options.beforeRetention()
      await this.#store.applyRetention()
      await this.#memory.remember()
      await this.writer.checkPlace()
      await this.#options.clock.sleep(RETENTION_EVERY_MS, { signal }).catch(() => undefined)
    }
  }

  /** Its first bytes are held: from now on an empty folder is no spool that is to begin. */
  #enterEpoch(): void {
    this.#knownEpoch = this.spool.heldEpoch()
    void this.#memory.remember()
  }
}

/** A folder that cannot be read or written is the world's failure, like any other. */
async function spoolUnusable(store: SpoolStore, cause: unknown): Promise<LandbridgeError> {
  if (isLandbridgeError(cause)) return cause
  if (isDiskFull(cause)) return await diskFull(store, cause)
  if (!(cause instanceof Error && 'syscall' in cause)) throw cause
  return failedCall('ERR_SPOOL_OPEN', `cannot open the spool ${store.directory}`, cause)
}

function createStore({ config, clock, log }: SpoolSupervisorOptions): SpoolStore {
  const { ageMs, sizeBytes, hardLimit, replicaAgeMs, minimumHoldMs } = config.retention
  const retention = {
    ageMsMax: ageMs,
    bytesMax: sizeBytes,
    hardLimit,
    minimumHoldMs,
    replicaAgeMsMax: replicaAgeMs,
  }
  return new SpoolStore({ directory: config.directory, retention, clock, log })
}
