import type { Clock } from '../base/clock.ts'
import { codeOf, describeError, errorFields, isAbortError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { SourceIdentity } from '../binlog/log.ts'
import { encodeEof, type ServerError } from '../mysql/ok-packet.ts'
import type { ReplicaName } from '../mysql/replica-name.ts'
import { DumpFlag } from './dump/dump-request.ts'
import type { AtSource, DumpStart } from './dump/dump-start.ts'
import { DumpStream } from './dump/dump-stream.ts'
import type { DumpWish } from './dump/dump-wish.ts'
import type { MemoryShare } from './login/login-memory.ts'
import type { PacketChannel } from './login/packet-channel.ts'
import { dumpRefused } from './query/server-errors.ts'
import type { RelayIdentity } from './query/server-variables.ts'
import { FileClaim } from './replica/file-claim.ts'
import { refuseLineageEnd, refuseOutdated } from './replica/lineage-guard.ts'
import {
  type DumpError,
  type ReplicaRecord,
  refuseOneTooMany,
  sentPosition,
} from './replica/replica-registry.ts'
import type { ServedLog } from './served-log.ts'

export interface ReplicaDumpOptions {
  readonly store: ServedLog
  readonly source: SourceIdentity
  readonly relay: RelayIdentity
  readonly clock: Clock
  readonly log: Log
  readonly connectionId: number
  readonly channel: PacketChannel
  readonly wish: DumpWish
  readonly record: ReplicaRecord
  /** Null for a reader that is no replica. */
  readonly key: string | null
  readonly share: MemoryShare
  /** What a replica says that it has applied; null when nobody can ask it. */
  readonly appliedBy: (replica: ReplicaName) => string | null
  /** What the source has, as it said last. */
  readonly atSource: () => AtSource
  /** For how long a file stays needed after it was sent to a replica that nobody can ask. */
  readonly keepSentMs: number
  /** Why the session is being ended, for the replica; null for no reason. */
  readonly farewell: () => ServerError | null
  /** Where it begins is settled: what the replica said of itself is needed no more. */
  readonly onBegun: () => void
}

/** Errors that trying again cannot help: the replica is to stop and say so. */
const REFUSALS = new Set(['ERR_DUMP_REFUSED', 'ERR_GTID_SYNTAX', 'ERR_REPLICA_LIMIT'])

/** One dump, from what a replica wishes to the error or the end that it gets. */
export class ReplicaDump {
  readonly #options: ReplicaDumpOptions
  #claim: FileClaim | null = null

  constructor(options: ReplicaDumpOptions) {
    this.#options = options
  }

  /** The error that the replica is to be told, null when there is none or no way to. */
  async run(stop: AbortSignal): Promise<ServerError | null> {
    const { channel, log, wish, record, key, share } = this.#options
    // mysqlbinlog and the like have no identity: their address says who they are.
    const who = key === null ? {} : { replica: key }
    const reader = key === null ? 'reader' : 'replica'
    let stream: DumpStream | null = null
    const signal = AbortSignal.any([stop, channel.closed])
    try {
      const { store, source, atSource } = this.#options
      if (key !== null) refuseOutdated(store, key)
      share.keep('dump', wish.memoryBytes)
      if (channel.closed.aborted) return null
      const start = await wish.start(store, source, atSource())
      if (start === null) return null
      // Nothing is awaited between this and the claim: two new replicas do not get one place.
      if (key !== null) refuseOneTooMany(store, key)
      stream = this.#createStream(start)
      const { name } = start.file
      const until = wish.untilText
      this.#options.onBegun()
      log.info({ ...who, file: name, offset: start.offset, until }, `${reader} connected`)
      await stream.run(signal)
      await channel.send(encodeEof())
      return null
    } catch (error) {
      if (channel.closed.aborted) return null
      if (isAbortError(error)) {
        return stream?.isAtBoundary === false ? null : this.#options.farewell()
      }
      // A replica stops at this error and a person reads it; a defect here is retried instead.
      if (REFUSALS.has(codeOf(error))) {
        const { remedy } = this.failed(error)
        const text = describeError(error)
        return dumpRefused(remedy === undefined ? text : `${text}. ${remedy}`)
      }
      throw error
    } finally {
      log.info({ ...who, sent: record.sent }, `${reader} disconnected`)
    }
  }

  /** Says again what the replica needs, or less by now. False: it is let go. */
  confirmClaim(): boolean {
    return this.#claim?.confirm() !== false
  }

  /** Notes what ended it on our side; the same as before keeps its beginning. */
  failed(error: unknown): DumpError {
    const { clock, record } = this.#options
    const known = errorFields(error)
    const atMs = clock.wallMs()
    const sinceMs = record.error?.code === known.code ? record.error.sinceMs : atMs
    record.error = { ...known, message: describeError(error), atMs, sinceMs }
    return record.error
  }

  #createStream(start: DumpStart): DumpStream {
    const { store, relay, source, channel, clock, wish, record, key } = this.#options
    const { flavor } = source
    const claim = this.#createClaim()
    this.#claim = claim
    return new DumpStream({
      store,
      channel,
      clock,
      flavor,
      start,
      serverId: relay.serverId,
      heartbeatMs: wish.heartbeatMs,
      heartbeatV2: flavor === 'mysql' && wish.hasFlag(DumpFlag.HeartbeatV2),
      sendAnnotateRows: flavor === 'mariadb' && wish.hasFlag(DumpFlag.SendAnnotateRows),
      checksum: wish.checksum,
      nonBlocking: wish.nonBlocking,
      onFile: (file) => claim.reach(file),
      beforeNext: (file) => refuseLineageEnd(store, key ?? 'ID', file.epoch),
      onProgress: (file, offset, caughtUp) => {
        if (caughtUp) record.error = null
        record.state = caughtUp ? 'caught-up' : 'streaming'
        record.sent = sentPosition(file, offset)
      },
    })
  }

  #createClaim(): FileClaim {
    const { store, clock, connectionId, appliedBy, keepSentMs, record, key } = this.#options
    // A reader of files keeps what it has.
    if (key === null) {
      const claim = `reader:${connectionId}` as const
      return new FileClaim({ store, clock, claim, applied: () => null, keepSentMs: 0 })
    }
    const claim = `replica:${key}` as const
    return new FileClaim({ store, clock, claim, applied: () => appliedBy(record), keepSentMs })
  }
}
