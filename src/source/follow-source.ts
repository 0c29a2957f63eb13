import { type Clock, systemClock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import { type Log, silentLog } from '../base/log.ts'
import type { PreflightFinding } from './preflight.ts'
import type { DumpTarget } from './socket-pump.ts'
import type { SourceAddress } from './source-connection.ts'
import { SourceMonitor } from './source-monitor.ts'
import { SourceReader } from './source-reader.ts'
import type { HeldState } from './start-plan.ts'

export interface FollowSourceOptions {
  readonly source: SourceAddress
  /** As a replica of the source: unlike any other server's. */
  readonly serverId: number
  /** Kept by the caller from run to run, so that the source knows us again. */
  readonly replicaUuid: string
  /** Shown by the source in its list of replicas. Default `landbridge`. */
  readonly reportHost?: string
  /** What is held of an earlier run, up to the end of a transaction. Default: nothing. */
  readonly held?: HeldState | null
  readonly onPreflight?: (findings: readonly PreflightFinding[]) => void
  readonly log?: Log
  readonly clock?: Clock
}

/** Bytes of one of the source's binlog files, from `offset` on, exactly as they are there. */
export interface RawBytes {
  readonly file: string
  readonly offset: number
  readonly bytes: Buffer
}

/** So much is read ahead of the consumer. */
const QUEUED_BYTES_MAX = 1024 * 1024

/**
 * Follows a source's binlog as raw bytes, every CRC32 checked: from its oldest file, or from where
 * `held` ends. Reads no faster than it is consumed. Leaving the loop closes the connection.
 *
 * Throws ERR_SOURCE_RESET when what is held is no part of the source any more, which it can tell
 * where `held` has its times; ERR_SOURCE_STALE when that happens while it follows. A second
 * connection asks the source once a second where it is.
 *
 * Throws a LandbridgeError when the source cannot be read (any more); where `retryable` says so,
 * the same call may help later. Ends without an error only on abort.
 */
export async function* followSource(
  options: FollowSourceOptions,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<RawBytes, void, undefined> {
  const { source, reportHost = 'landbridge', held = null, ...rest } = options
  const reader = new SourceReader({
    clock: systemClock,
    log: silentLog,
    ...rest,
    address: source,
    reportHost,
  })
  const leaving = new AbortController()
  const either = AbortSignal.any([signal, leaving.signal])
  const queue = new RawQueue()
  let ended: Promise<void> = Promise.resolve()
  // A source that is reset does not tell its dumps: they would wait for ever.
  const monitor = new SourceMonitor({ address: source, clock: rest.clock ?? systemClock })
  const watching = monitor.run((sample) => reader.seen(sample), either)
  try {
    const opened = await reader.open(held, either)
    const reset = opened.plan.newEpoch
    if (reset?.breaksLineage) throw new LandbridgeError('ERR_SOURCE_RESET', reset.reason)
    ended = opened.run(queue, either).catch((error: unknown) => queue.fail(error))
    yield* queue.drain()
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    leaving.abort()
    await ended
    await watching
  }
}

/** Between the socket's callback, which pushes, and the consumer, who pulls. */
class RawQueue implements DumpTarget {
  #file = ''
  #offset = 0
  #parts: Buffer[] = []
  #ready: RawBytes[] = []
  #queuedBytes = 0
  #failure: { readonly error: unknown } | null = null
  #changed = Promise.withResolvers<void>()
  #drained = Promise.withResolvers<void>()

  get hasRoom(): boolean {
    return this.#queuedBytes < QUEUED_BYTES_MAX
  }

  accepted(): void {}

  file(name: string, offset: number): void {
    this.chunkEnd()
    this.#file = name
    this.#offset = offset
  }

  bytes(chunk: Buffer, start: number, end: number): void {
    // The chunk is only lent.
    this.#parts.push(Buffer.from(chunk.subarray(start, end)))
  }

  chunkEnd(): void {
    if (this.#parts.length === 0) return
    const bytes = this.#parts.length === 1 ? this.#parts[0] : undefined
    const whole = bytes ?? Buffer.concat(this.#parts)
    this.#parts = []
    this.#ready.push({ file: this.#file, offset: this.#offset, bytes: whole })
    this.#offset += whole.length
    this.#queuedBytes += whole.length
    this.#changed.resolve()
  }

  async room(signal: AbortSignal): Promise<void> {
    const abort = (): void => this.#drained.reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      if (signal.aborted) abort()
      await this.#drained.promise
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#changed.resolve()
  }

  /** What is there, then what comes; throws the failure once everything before it is given out. */
  async *drain(): AsyncGenerator<RawBytes, never, undefined> {
    for (;;) {
      const ready = this.#ready
      this.#ready = []
      for (const raw of ready) {
        yield raw
        this.#queuedBytes -= raw.bytes.length
      }
      if (this.#ready.length > 0) continue
      if (this.#failure !== null) throw this.#failure.error
      this.#drained.resolve()
      this.#drained = Promise.withResolvers<void>()
      this.#changed = Promise.withResolvers<void>()
      await this.#changed.promise
    }
  }
}
