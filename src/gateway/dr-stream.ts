import { join } from 'node:path'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { describeError, errorFields, isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { RelayConfig, SpoolConfig, StreamConfig } from '../config/config.ts'
import { losesData } from '../database/replica-filters.ts'
import { ReplicaPoller } from '../database/replica-poller.ts'
import { openReplica } from '../database/replica-queries.ts'
import type { Open, Sample } from '../link/messages.ts'
import { StreamReceiver } from '../link/stream-receiver.ts'
import type { ConnectAttempts } from '../mysql/connect-attempts.ts'
import { type ReplicaName, replicaKey } from '../mysql/replica-name.ts'
import { ApplyLag } from '../progress/apply-lag.ts'
import { ReceiveLag } from '../progress/receive-lag.ts'
import { RelayServer } from '../relay/relay-server.ts'
import { diskFull, failedCall, isDiskFull } from '../spool/disk-failure.ts'
import { Spool } from '../spool/spool.ts'
import type { EpochRecord } from '../spool/spool-file.ts'
import { SpoolWriter } from '../spool/spool-writer.ts'
import type { Problem, StreamStatus } from '../status/status.ts'
import { makeSpoolPrivate } from './data-directory.ts'
import { drStreamProblems, drStreamStatus } from './dr-stream-status.ts'
import { LastProof } from './last-proof.ts'
import { relayAddress } from './relay-address.ts'
import type { RelayPlaces } from './relay-places.ts'
import { SpoolMemory } from './spool-memory.ts'
import type { StreamIdentity } from './stream-identity.ts'

export interface DrStreamOptions {
  readonly dataDir: string
  readonly config: StreamConfig
  readonly windowBytes: number
  /** How many connections the relay may have. */
  readonly relayPlaces: RelayPlaces
  readonly identity: StreamIdentity
  /** Of the replica's server, shared with every stream that has the same. */
  readonly replicaAttempts: ConnectAttempts
  /** Peer clock minus own, as the link knows it now. */
  readonly clockOffsetMs: () => number | null
  readonly clock: Clock
  readonly log: Log
}

/** A place of the source, and when it was heard of on this gateway's monotonic clock. */
export interface KnownPlace {
  readonly file: string
  readonly offset: number
  readonly gtids: string | null
  readonly atMs: number
}

const RETENTION_EVERY_MS = 60_000

/** The DR half of a stream: receiver, spool, relay and the lag measured between them. */
export class DrStream {
  readonly name: string
  readonly receiver: StreamReceiver
  readonly spool: Spool
  readonly writer: SpoolWriter
  readonly relay: RelayServer | null
  readonly poller: ReplicaPoller | null
  readonly receiveLag: ReceiveLag
  readonly applyLag: ApplyLag
  readonly #options: DrStreamOptions
  readonly #memory: SpoolMemory
  readonly #lastProof: LastProof
  #transactions = 0
  #bytesTotal = 0
  /** First epoch of the lineage that lag is measured in; 0 for the only one. */
  #lineageEpoch = 0
  #knownEpoch: EpochRecord | null = null
  #sample: { readonly sample: Sample; readonly atMs: number } | null = null
  /** As last measured: a link that is down has none. */
  #clockOffsetMs = 0
  #remembered: KnownPlace | null = null
  #loadProblem: Problem | null = null

  constructor(options: DrStreamOptions) {
    const { config, clock, log } = options
    this.#options = options
    this.name = config.name
    this.spool = createSpool(requireSpool(config), clock, log)
    this.#memory = new SpoolMemory({ ...options, stream: config.name, spool: this.spool })
    this.receiveLag = new ReceiveLag({ clock })
    this.applyLag = new ApplyLag({ clock })
    this.#lastProof = new LastProof({
      path: join(options.dataDir, `last-proof-${config.name}.json`),
      ...{ clock, log },
      known: () => this.receiveLag.known(),
      lineage: () => this.#lineageEpoch,
    })
    this.writer = new SpoolWriter({
      spool: this.spool,
      clock,
      log,
      onSynced: (bytes, commitMs) => this.#synced(bytes, commitMs),
      onBroken: (error) => this.receiver.broken(error),
    })
    this.receiver = new StreamReceiver({
      name: config.name,
      windowBytes: options.windowBytes,
      clock,
      spool: {
        rewind: () => this.writer.rewind(),
        beginEpoch: (...epoch) => this.writer.beginEpoch(...epoch),
        renewSource: (source) => this.writer.renewSource(source),
        beginFile: (name, offset) => this.writer.beginFile(name, offset),
        append: (offset, bytes, readAtMs, written) =>
          this.writer.append(offset, bytes, readAtMs, written),
      },
      onSample: (sample) => this.#sampled(sample),
      onOpen: (opened) => this.#opened(opened),
    })
    this.relay = config.relay === null ? null : this.#createRelay(config.relay)
    this.poller = this.#createPoller()
  }

  get transactions(): number {
    return this.#transactions
  }

  /** Where the source was when it was last heard of, be it before this start. */
  get newest(): KnownPlace | null {
    const heard = this.#sample
    return heard === null ? this.#remembered : { ...heard.sample, atMs: heard.atMs }
  }

  /** A time of the peer's clock, by this gateway's. */
  ownTimeOf(peerMs: number): number {
    this.#clockOffsetMs = this.#options.clockOffsetMs() ?? this.#clockOffsetMs
    return peerMs - this.#clockOffsetMs
  }

  get loadProblem(): Problem | null {
    return this.#loadProblem
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#load(signal)
      if (!signal.aborted) await this.#runParts(signal)
    } finally {
      await this.spool.close()
    }
  }

  async #runParts(signal: AbortSignal): Promise<void> {
    const ending = new AbortController()
    const stop = AbortSignal.any([signal, ending.signal])
    const parts = [this.writer, this.relay, this.poller, this.#lastProof].map((part) =>
      part?.run(stop),
    )
    try {
      await Promise.all([...parts, this.#retain(stop)])
    } finally {
      ending.abort()
      await Promise.allSettled(parts)
    }
  }

  problems(): Problem[] {
    return drStreamProblems(this, this.#options.clock.wallMs())
  }

  status(): StreamStatus {
    return drStreamStatus(this, this.#options.config, this.#options.clock)
  }

  async #load(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const backoff = new Backoff({ clock })
    this.#loadProblem = {
      code: 'ERR_SPOOL_RECOVERING',
      severity: 'warning',
      where: `spool:${this.name}`,
      message: 'the spool is being read and checked after a start',
      sinceMs: clock.wallMs(),
    }
    while (!signal.aborted) {
      try {
        await this.spool.load(signal, await this.#memory.recall())
        break
      } catch (error) {
        if (signal.aborted) return
        const failure = await spoolUnusable(this.spool, error)
        const { message, retryable } = failure
        const severity = retryable ? 'error' : 'blocked'
        const where = `spool:${this.name}`
        const isTold = this.#loadProblem?.code === failure.code
        const sinceMs: number = isTold ? (this.#loadProblem?.sinceMs ?? 0) : clock.wallMs()
        if (!isTold) log.error(errorFields(failure), describeError(failure))
        this.#loadProblem = { ...errorFields(failure), message, severity, where, sinceMs }
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
    await makeSpoolPrivate(this.spool.directory, log)
    this.#loadProblem = null
    const flavor = this.spool.identity()?.flavor
    if (flavor !== undefined) this.#setFlavor(flavor)
    this.#bytesTotal = this.spool.bytes
    this.#lineageEpoch = this.spool.lineage()?.epoch ?? 0
    this.#tellSynced()
    await this.#memory.remember()
    await this.#remember()
  }

  /** Until production is heard of, what was known of it before this start. */
  async #remember(): Promise<void> {
    const known = await this.#lastProof.load()
    if (known === null) return
    this.receiveLag.restore(known)
    const { file, offset, gtids, provenAgoMs } = known
    this.#remembered = {
      file,
      offset,
      gtids,
      atMs: this.#options.clock.monotonicMs() - provenAgoMs,
    }
  }

  async #retain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.relay?.confirmPins()
      await this.spool.applyRetention()
      await this.#memory.remember()
      await this.writer.checkPlace()
      await this.#options.clock.sleep(RETENTION_EVERY_MS, { signal }).catch(() => undefined)
    }
  }

  #setFlavor(flavor: 'mysql' | 'mariadb'): void {
    this.receiveLag.setFlavor(flavor)
    this.applyLag.setFlavor(flavor)
  }

  #opened(opened: Open): void {
    this.#setFlavor(opened.source.flavor)
    if (opened.newEpoch !== null) this.receiveLag.reset()
  }

  #sampled(sample: Sample): void {
    this.#sample = { sample, atMs: this.#options.clock.monotonicMs() }
    const offsetMs = this.#options.clockOffsetMs()
    if (offsetMs !== null) this.receiveLag.setClockOffset(offsetMs)
    if (sample.files !== undefined) this.receiveLag.setSourceFiles(sample.files)
    const held = this.spool.heldEpoch()
    // An epoch that was begun has no byte yet: what is held is the other server's.
    const isHeld = held !== null && held === this.spool.epoch
    const isSame = sample.serverUuid != null && sample.serverUuid === held?.source.serverUuid
    const isOfHeld = isHeld && isSame && this.receiver.status().state?.state === 'streaming'
    this.receiveLag.sample({ ...sample, isOfHeld })
  }

  #synced(bytes: number, commitMs: readonly number[]): void {
    const syncedMs = this.#options.clock.wallMs()
    for (const ms of commitMs) this.receiveLag.recordTransaction(ms, syncedMs)
    this.#transactions += commitMs.length
    this.#bytesTotal += bytes
    this.#followLineage()
    this.#tellSynced()
    if (this.spool.heldEpoch() !== this.#knownEpoch) this.#enterEpoch()
    this.receiver.synced(bytes)
    this.poller?.nudge()
  }

  /** Its first bytes are held: from now on an empty folder is no spool that is to begin. */
  #enterEpoch(): void {
    this.#knownEpoch = this.spool.heldEpoch()
    void this.#memory.remember()
  }

  /** With the first bytes after a reset of the source, what was waited for will never come. */
  #followLineage(): void {
    const lineage = this.spool.lineage()
    if (lineage === null || lineage.epoch === this.#lineageEpoch) return
    this.#lineageEpoch = lineage.epoch
    this.receiveLag.reset()
    this.applyLag.reset()
    const { epoch, reason } = lineage
    const message = `${reason}: replicas that were served before must be made anew`
    this.#options.log.warn({ code: 'ERR_SOURCE_RESET', epoch }, message)
  }

  #tellSynced(): void {
    const file = this.spool.newestFile()
    if (file === undefined) return
    const place = { file: file.name, offset: file.bytes }
    this.receiveLag.synced({ ...place, gtids: () => this.spool.gtidSet() })
    this.applyLag.synced({ gtids: () => this.spool.gtids(), bytesTotal: this.#bytesTotal })
  }

  #createRelay(config: RelayConfig): RelayServer {
    const { identity, clock, log } = this.#options
    return new RelayServer({
      store: this.spool,
      listen: config.listen,
      user: config.user,
      password: config.password,
      tls: { key: config.privateKeyPem, certificate: config.certificatePem },
      serverId: config.serverId ?? identity.relayServerId,
      serverUuid: identity.relayUuid,
      appliedBy: (replica) => this.#appliedBy(replica),
      atSource: () => ({
        gtids: this.#sample?.sample.gtids ?? null,
        unlogged: this.receiveLag.unlogged()?.gtids ?? null,
      }),
      keepSentMs: requireSpool(this.#options.config).retention.replicaAgeMs,
      limits: this.#options.relayPlaces,
      clock,
      log,
    })
  }

  /** Of the one replica that can be asked, its last answer. */
  #appliedBy(replica: ReplicaName): string | null {
    const { identity, appliedGtids } = this.poller?.status() ?? {}
    const isAsked = identity && replicaKey(identity) === replicaKey(replica)
    return isAsked ? (appliedGtids ?? null) : null
  }

  #createPoller(): ReplicaPoller | null {
    const { config, identity, clock } = this.#options
    const { replica, relay: served } = config
    if (replica === null) return null
    const relay = served && relayAddress(served, identity)
    const login = { ...replica, attempts: this.#options.replicaAttempts }
    return new ReplicaPoller({
      clock,
      open: (signal) => openReplica(login, relay, signal),
      onApplied: (gtids) => this.applyLag.applied(gtids),
      onReplication: ({ filters, isApplying }, asked) => {
        if (filters === null || !losesData(filters, isApplying)) return
        this.spool.noteLeftOut(replicaKey(asked), filters.join(', '))
      },
      isBehind: () => this.applyLag.isBehind,
    })
  }
}

/** A folder that cannot be read or written is the world's failure, like any other. */
async function spoolUnusable(spool: Spool, cause: unknown): Promise<LandbridgeError> {
  if (isLandbridgeError(cause)) return cause
  if (isDiskFull(cause)) return await diskFull(spool, cause)
  if (!(cause instanceof Error && 'syscall' in cause)) throw cause
  return failedCall('ERR_SPOOL_OPEN', `cannot open the spool ${spool.directory}`, cause)
}

function requireSpool(config: StreamConfig): SpoolConfig {
  if (config.spool !== null) return config.spool
  throw new LandbridgeError('ERR_CONFIG', `stream ${config.name} has no spool`)
}

function createSpool(config: SpoolConfig, clock: Clock, log: Log): Spool {
  const { ageMs, sizeBytes, hardLimit, replicaAgeMs, minimumHoldMs } = config.retention
  const retention = {
    ageMsMax: ageMs,
    bytesMax: sizeBytes,
    hardLimit,
    minimumHoldMs,
    replicaAgeMsMax: replicaAgeMs,
  }
  return new Spool({ directory: config.directory, retention, clock, log })
}
