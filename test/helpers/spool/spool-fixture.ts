import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Disk } from '../../../src/base/disk.ts'
import type { LandbridgeError } from '../../../src/base/errors.ts'
import type { Flavor } from '../../../src/base/flavor.ts'
import { silentLog } from '../../../src/base/log.ts'
import { releaseBuffer } from '../../../src/base/release-buffer.ts'
import type { RetentionPolicy } from '../../../src/spool/retention.ts'
import type { Spool } from '../../../src/spool/spool.ts'
import type { EpochSource } from '../../../src/spool/spool-file.ts'
import type { EpochBeginning } from '../../../src/spool/spool-lineage.ts'
import { SpoolStore, type SpoolStoreOptions } from '../../../src/spool/spool-store.ts'
import { SpoolWriter } from '../../../src/spool/spool-writer.ts'
import { FakeClock } from '../fake-clock.ts'

export const KEEP_ALL: RetentionPolicy = { ageMsMax: null, bytesMax: null, hardLimit: false }

export function epochSource(flavor: Flavor, serverId = 7): EpochSource {
  const isMysql = flavor === 'mysql'
  return {
    flavor,
    serverVersion: isMysql ? '9.7.4' : '10.11.19-MariaDB-log',
    serverId,
    serverUuid: isMysql ? '29d14f05-e66c-11f1-a076-02fc00000001' : null,
    gtidDomainId: isMysql ? null : 0,
  }
}

export function epochBeginning(
  source: EpochSource,
  reason: string,
  gtidsBefore = '',
  breaksLineage = false,
): EpochBeginning {
  return { source, reason, gtidsBefore, breaksLineage }
}

export interface SpoolFixtureOptions {
  readonly retention?: RetentionPolicy
  readonly disk?: Disk
  readonly checkpointBytes?: number
  readonly clock?: FakeClock
  /** Default: a real one. */
  readonly createStore?: (options: SpoolStoreOptions) => SpoolStore
}

/** A real spool and its writer on a temporary folder, running until it is disposed of. */
export class SpoolFixture implements AsyncDisposable {
  /** Its reading half. */
  readonly spool: Spool
  readonly store: SpoolStore
  readonly writer: SpoolWriter
  readonly clock: FakeClock
  readonly broken: LandbridgeError[] = []
  /** When each synced transaction was committed, in order. */
  readonly commitMs: number[] = []
  syncedBytes = 0
  onSynced: (bytes: number) => void = () => undefined
  onBroken: (error: LandbridgeError) => void = () => undefined
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  private constructor(directory: string, options: SpoolFixtureOptions) {
    this.clock = options.clock ?? new FakeClock()
    const { clock } = this
    const { retention = KEEP_ALL, disk, checkpointBytes } = options
    const { createStore = (given) => new SpoolStore(given) } = options
    this.store = createStore({
      directory,
      retention,
      clock,
      log: silentLog,
      ...(disk && { disk }),
      ...(checkpointBytes && { checkpointBytes }),
    })
    this.spool = this.store.spool
    this.writer = new SpoolWriter({
      store: this.store,
      clock,
      log: silentLog,
      onSynced: (bytes, commitMs) => {
        this.syncedBytes += bytes
        this.commitMs.push(...commitMs)
        this.onSynced(bytes)
      },
      onBroken: (error) => {
        this.broken.push(error)
        this.onBroken(error)
      },
    })
  }

  static async open(directory: string, options: SpoolFixtureOptions = {}): Promise<SpoolFixture> {
    const fixture = new SpoolFixture(directory, options)
    await fixture.writer.open(fixture.#stop.signal)
    fixture.#running = fixture.writer.run(fixture.#stop.signal)
    return fixture
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** As a link does: their memory is taken away as soon as the writer says that it may be. */
  append(offset: number, bytes: Buffer): void {
    const own = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(own)
    this.writer.append(offset, own, 1_700_000_000_000, () => releaseBuffer(own, own.length))
  }

  /** Gives `bytes` to the writer in pieces and waits until all of them are synced. */
  async write(offset: number, bytes: Buffer, pieceBytes = bytes.length): Promise<void> {
    const wanted = this.syncedBytes + bytes.length
    const brokenBefore = this.broken.length
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.append(offset + at, bytes.subarray(at, at + pieceBytes))
    }
    await until(() => this.syncedBytes >= wanted || this.broken.length > brokenBefore)
  }

  /** One turn of the event loop, all that a disk in memory needs; the clock wakes who sleeps. */
  async turn(): Promise<void> {
    if (this.clock.sleeping > 0) await this.clock.advance(1_000)
    await turn()
  }

  /** As `kill -9` leaves it: nothing more is written, and the kernel has dropped the lock. */
  async crash(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.store.fence.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.writer.close()
  }
}

/** Polls in the event loop, without a clock: for what disks and promises do by themselves. */
export async function until(reached: () => boolean, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!reached()) {
    if (performance.now() > end) throw new Error(`not reached: ${reached}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'lb-'))
  return {
    path,
    [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }),
  }
}

export async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path)).sort()
}
