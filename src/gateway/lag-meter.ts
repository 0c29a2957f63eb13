import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { ClockReading } from '../base/clock-offset.ts'
import type { Flavor } from '../base/flavor.ts'
import type { Log } from '../base/log.ts'
import type { Open, Sample } from '../link/messages.ts'
import { ApplyLag } from '../progress/apply-lag.ts'
import { exposureOf } from '../progress/exposure.ts'
import { LastProof } from '../progress/last-proof.ts'
import { ReceiveLag } from '../progress/receive-lag.ts'
import type { Unlogged } from '../progress/source-facts.ts'
import { TimeSlots } from '../progress/time-slots.ts'
import type { Spool } from '../spool/spool.ts'
import type { ExposureStatus, LagStatus, PositionStatus, StreamRates } from '../status/status.ts'

export interface LagMeterOptions {
  readonly stream: string
  readonly dataDir: string
  readonly spool: Pick<
    Spool,
    'bytes' | 'epoch' | 'gtids' | 'gtidSet' | 'heldEpoch' | 'identity' | 'lineage' | 'newestFile'
  >
  /** That of the gateway at the origin, as the link knows it now. */
  readonly originClock: () => ClockReading | null
  /** When the first that came and is not synced was committed, by the source's clock. */
  readonly arrivingMs: () => number | null
  readonly clock: Clock
  readonly log: Log
}

const RATE_SLOTS = { ms: 1_000, kept: 11 }

/** A place of the source, and when it was heard of on this gateway's monotonic clock. */
interface KnownPlace {
  readonly file: string | null
  readonly offset: number | null
  readonly gtids: string | null
  readonly atMs: number
}

/** What is known of the source against what is held, and of what is held against the replica. */
export class LagMeter {
  readonly #options: LagMeterOptions
  readonly #receive: ReceiveLag
  readonly #apply: ApplyLag
  readonly #lastProof: LastProof
  readonly #syncedBytes = new TimeSlots(RATE_SLOTS.ms, RATE_SLOTS.kept)
  readonly #syncedTransactions = new TimeSlots(RATE_SLOTS.ms, RATE_SLOTS.kept)
  #transactions = 0
  #bytesTotal = 0
  /** First epoch of the lineage that lag is measured in; 0 for the only one. */
  #lineageEpoch = 0
  #sample: { readonly sample: Sample; readonly atMs: number } | null = null
  /** As last measured: a link that is down has none. */
  #clockOffsetMs = 0
  #remembered: KnownPlace | null = null

  constructor(options: LagMeterOptions) {
    const { stream, dataDir, clock, log } = options
    this.#options = options
    this.#receive = new ReceiveLag({ clock, arrivingMs: options.arrivingMs })
    this.#apply = new ApplyLag({ clock })
    this.#lastProof = new LastProof({
      path: join(dataDir, `last-proof-${stream}.json`),
      ...{ clock, log },
      known: () => this.#receive.known(),
      lineage: () => this.#lineageEpoch,
    })
  }

  /** Transactions that were synced since the start. */
  get transactions(): number {
    return this.#transactions
  }

  /** GTIDs of the source when it was last heard of; null before that. */
  get sourceGtids(): string | null {
    return this.#sample?.sample.gtids ?? null
  }

  /** Whether the replica has not applied all that is held. */
  get isBehind(): boolean {
    return this.#apply.isBehind
  }

  /** What the source has executed and none of its files has; null for none. */
  unlogged(): Unlogged | null {
    return this.#receive.unlogged()
  }

  receiveStatus(): LagStatus {
    return this.#receive.status()
  }

  /** `isWatched`: the link and the source answer. */
  exposure(isWatched: boolean): ExposureStatus {
    return exposureOf(this.#receive.bounds(), isWatched)
  }

  rates(): StreamRates {
    const spanMs = RATE_SLOTS.ms * (RATE_SLOTS.kept - 1)
    const sinceMs = this.#options.clock.monotonicMs() - spanMs
    const perSecond = (slots: TimeSlots) => slots.sumSince(sinceMs) / (spanMs / 1000)
    return {
      transactionsPerSecond: perSecond(this.#syncedTransactions),
      bytesPerSecond: perSecond(this.#syncedBytes),
    }
  }

  applyStatus(): LagStatus {
    return this.#apply.status()
  }

  /** Where the source was when it was last heard of, be it before this start. */
  sourceStatus(): { position: PositionStatus | null; heardAgoMs: number | null } {
    const heard = this.#sample
    const newest = heard === null ? this.#remembered : { ...heard.sample, atMs: heard.atMs }
    if (newest === null) return { position: null, heardAgoMs: null }
    const { file, offset, gtids, atMs } = newest
    return {
      position: { epoch: null, file, offset, gtids: gtids ?? '' },
      heardAgoMs: this.#options.clock.monotonicMs() - atMs,
    }
  }

  /** A time of the peer's clock, by this gateway's. */
  ownTimeOf(peerMs: number): number {
    this.#clockOffsetMs = this.#options.originClock()?.aheadMs ?? this.#clockOffsetMs
    return peerMs - this.#clockOffsetMs
  }

  /** The spool was opened. Until production is heard of, what was known of it before counts. */
  async loaded(): Promise<void> {
    const { spool, clock } = this.#options
    const flavor = spool.identity()?.flavor
    if (flavor !== undefined) this.#setFlavor(flavor)
    this.#bytesTotal = spool.bytes
    this.#lineageEpoch = spool.lineage()?.epoch ?? 0
    this.#measure()
    const known = await this.#lastProof.load()
    if (known === null) return
    this.#receive.restore(known)
    const { file, offset, gtids, provenAgoMs } = known
    this.#remembered = { file, offset, gtids, atMs: clock.monotonicMs() - provenAgoMs }
  }

  /** Keeps on disk what is known of the source, until abort. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#lastProof.run(signal)
  }

  /** A dump begins: who the source is. */
  opened(opened: Open): void {
    this.#setFlavor(opened.source.flavor)
    if (opened.newEpoch !== null) this.#receive.reset()
    else this.#receive.wentOn()
  }

  /** `isStreaming`: a dump runs. */
  sampled(sample: Sample, isStreaming: boolean): void {
    const { spool, clock, originClock } = this.#options
    const held = spool.heldEpoch()
    // An epoch that was begun has no byte yet: what is held is the other server's.
    const isHeld = held !== null && held === spool.epoch
    const [uuid, heldUuid] = [sample.serverUuid ?? null, held?.source.serverUuid ?? null]
    // Several servers behind one address: of the one that the dump is from, this says nothing.
    const isOther = uuid !== null && heldUuid !== null && uuid !== heldUuid
    if (isOther && isHeld && isStreaming) return
    this.#sample = { sample, atMs: clock.monotonicMs() }
    const reading = originClock()
    if (reading !== null) this.#receive.setPeerClock(reading)
    // The GTIDs of a source that was reset are not those held: its first bytes are awaited.
    if (!isHeld && spool.epoch?.breaksLineage) return
    if (sample.files !== undefined) this.#receive.setSourceFiles(sample.files)
    const isOfHeld = isHeld && uuid !== null && uuid === heldUuid && isStreaming
    // A MariaDB has no name: where another one answers, a new epoch begins soon.
    const ofServer = { isOfHeld, isSameServer: isHeld && uuid === heldUuid, isStreaming }
    this.#receive.sample({ ...sample, sourceClock: sample.sourceClock ?? null, ...ofServer })
  }

  synced(bytes: number, commitMs: readonly number[]): void {
    this.#receive.transactions(commitMs)
    this.#transactions += commitMs.length
    this.#bytesTotal += bytes
    const nowMs = this.#options.clock.monotonicMs()
    this.#syncedBytes.add(nowMs, bytes)
    this.#syncedTransactions.add(nowMs, commitMs.length)
    this.#followLineage()
    this.#measure()
  }

  /** The replica has applied these. */
  applied(gtids: string): void {
    this.#apply.applied(gtids)
  }

  #setFlavor(flavor: Flavor): void {
    this.#receive.setFlavor(flavor)
    this.#apply.setFlavor(flavor)
  }

  /** With the first bytes after a reset of the source, what was waited for will never come. */
  #followLineage(): void {
    const lineage = this.#options.spool.lineage()
    if (lineage === null || lineage.epoch === this.#lineageEpoch) return
    this.#lineageEpoch = lineage.epoch
    this.#receive.reset()
    this.#apply.reset()
    const { epoch, reason } = lineage
    const message = `${reason}: replicas that were served before must be made anew`
    this.#options.log.warn({ code: 'ERR_SOURCE_RESET', epoch }, message)
  }

  #measure(): void {
    const { spool } = this.#options
    const file = spool.newestFile()
    if (file === undefined) return
    const place = { file: file.name, offset: file.bytes }
    this.#receive.synced({ ...place, gtids: () => spool.gtidSet() })
    this.#apply.synced({ gtids: () => spool.gtids(), bytesTotal: this.#bytesTotal })
  }
}
