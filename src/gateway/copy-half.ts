import type { Clock } from '../base/clock.ts'
import type { ClockReading } from '../base/clock-offset.ts'
import type { Log } from '../base/log.ts'
import { runTogether } from '../base/tasks.ts'
import type { Channel } from '../link/channel.ts'
import type { SessionBody } from '../link/link-session.ts'
import type { State } from '../link/messages.ts'
import { StreamReceiver } from '../link/stream-receiver.ts'
import type { ConnectAttempts } from '../mysql/connect-attempts.ts'
import { LagObjective } from '../progress/lag-objective.ts'
import {
  type ExposureStatus,
  type Problem,
  type RefusedStatus,
  type ThrottleStatus,
  UNTHROTTLED,
} from '../status/status.ts'
import type { StreamConfig } from './config/gateway-config.ts'
import { LagMeter } from './lag-meter.ts'
import { ObjectiveWatch } from './objective-watch.ts'
import type { RelayPlaces } from './relay-places.ts'
import { ReplicaWatch } from './replica-watch.ts'
import { SpoolSupervisor } from './spool-supervisor.ts'
import type { HalfStatus, StreamHalf } from './stream-half.ts'
import type { StreamIdentity } from './stream-identity.ts'

export interface CopyHalfOptions {
  readonly dataDir: string
  readonly config: StreamConfig
  /** In which this site is a copy. */
  readonly term: number
  readonly windowBytes: number
  /** How many connections the relay may have. */
  readonly relayPlaces: RelayPlaces
  readonly identity: StreamIdentity
  /** Of the replica's server, shared with every stream that has the same. */
  readonly replicaAttempts: ConnectAttempts
  /** That of a gateway, as the link knows it now. */
  readonly clockOf: (gateway: string) => ClockReading | null
  readonly clock: Clock
  readonly log: Log
}

/**
 * The receiving half of a stream. Bytes go from the receiver into the spool, and from there to the
 * replicas; lag is measured beside them.
 */
export class CopyHalf implements StreamHalf {
  readonly role = 'copy'
  readonly throttle = null
  readonly spool: SpoolSupervisor
  readonly #options: CopyHalfOptions
  readonly #receiver: StreamReceiver
  readonly #lag: LagMeter
  readonly #replicas: ReplicaWatch
  readonly #objective: LagObjective

  constructor(options: CopyHalfOptions) {
    const { config, clock, log } = options
    this.#options = options
    this.spool = new SpoolSupervisor({
      ...{ stream: config.name, dataDir: options.dataDir, config: config.spool, clock, log },
      onSynced: (bytes, commitMs) => this.#synced(bytes, commitMs),
      onBroken: (error) => this.#receiver.broken(error),
      beforeRetention: () => this.#replicas.confirmClaims(),
    })
    const { spool } = this.spool
    const arrivingMs = (): number | null => this.spool.writer.arrivingMs
    // Of several gateways at the origin, that whose samples come.
    const originClock = (): ClockReading | null => {
      const { peer } = this.#receiver.status()
      return peer === null ? null : options.clockOf(peer)
    }
    this.#lag = new LagMeter({ ...options, stream: config.name, spool, originClock, arrivingMs })
    this.#receiver = new StreamReceiver({
      name: config.name,
      term: options.term,
      windowBytes: options.windowBytes,
      clock,
      spool: this.spool.port(),
      onSample: (sample) => this.#lag.sampled(sample, this.#told()?.state === 'streaming'),
      onOpen: (opened) => this.#lag.opened(opened),
    })
    const { objectiveMs: maxMs } = config.lag
    this.#objective = new LagObjective({ stream: config.name, maxMs, clock, log })
    const keepSentMs = config.spool.retention.replicaAgeMs
    this.#replicas = new ReplicaWatch({ ...options, spool, lag: this.#lag, keepSentMs })
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.spool.load(signal)
      if (signal.aborted) return
      await this.#lag.loaded()
      await runTogether([this.spool, this.#replicas, this.#lag, this.#objectiveWatch()], signal)
    } finally {
      await this.spool.close()
    }
  }

  session(channel: Channel, number: number, peer: string): SessionBody {
    return this.#receiver.session(channel, number, peer)
  }

  async releaseReplica(replica: string): Promise<boolean> {
    return await this.spool.spool.claims.release(replica)
  }

  refused(): RefusedStatus[] {
    return this.#replicas.refused()
  }

  problems(): Problem[] {
    return [
      ...this.spool.loadProblems(),
      ...this.#sourceProblems(),
      ...this.spool.problems(),
      ...this.#replicas.problems(),
      ...this.#objective.problems(),
    ]
  }

  status(): HalfStatus {
    const { config, clock } = this.#options
    const received = this.#receiver.status()
    const told = received.state
    const identity = this.spool.spool.identity()
    return {
      name: config.name,
      flavor: identity?.flavor ?? null,
      state: told?.state ?? 'idle',
      source: {
        host: told?.host ?? null,
        serverVersion: identity?.serverVersion ?? null,
        serverId: identity?.serverId ?? null,
        serverUuid: identity?.serverUuid ?? null,
        connected: told?.state === 'streaming',
        ...this.#lag.sourceStatus(),
      },
      peer: received.peer,
      copies: [],
      spool: this.spool.status(),
      receiveLag: this.#lag.receiveStatus(),
      exposure: this.#exposure(),
      objective: this.#objective.status(),
      rates: this.#lag.rates(),
      transactionsReceived: this.#lag.transactions,
      bytesReceived: received.receivedBytes,
      receivedAgoMs:
        received.receivedMs === null ? null : clock.monotonicMs() - received.receivedMs,
      throttle: this.#throttled(received.throttle),
      pausedAgoMs: received.pausedMs === null ? null : clock.monotonicMs() - received.pausedMs,
      replicas: this.#replicas.status(),
    }
  }

  #objectiveWatch(): ObjectiveWatch {
    return new ObjectiveWatch({
      objective: this.#objective,
      exposure: () => this.#exposure(),
      replicas: () => this.#replicas.status(),
      clock: this.#options.clock,
    })
  }

  #exposure(): ExposureStatus {
    return this.#lag.exposure(this.#told()?.state === 'streaming')
  }

  /** The acknowledgement first: nothing that is only measured stands before it. */
  #synced(bytes: number, commitMs: readonly number[]): void {
    this.#receiver.synced(bytes)
    this.#lag.synced(bytes, commitMs)
    this.#replicas.nudge()
  }

  /** Times of the origin by this gateway's clock. */
  #throttled(told: ThrottleStatus | null): ThrottleStatus {
    if (told === null) return UNTHROTTLED
    const own = (atMs: number | null) => (atMs === null ? null : this.#lag.ownTimeOf(atMs))
    return { ...told, sinceMs: own(told.sinceMs), untilMs: own(told.untilMs) }
  }

  /** As the sender last said; null without a session. */
  #told(): State | null {
    return this.#receiver.status().state
  }

  /** What the sender says is wrong with the source. */
  #sourceProblems(): Problem[] {
    const told = this.#told()
    if (!told?.problem) return []
    const { code, message, remedy } = told.problem
    const sinceMs = this.#lag.ownTimeOf(told.problem.sinceMs)
    const severity = told.state === 'blocked' ? 'blocked' : 'error'
    const where = `source:${this.#options.config.name}`
    return [{ code, severity, where, message, sinceMs, ...(remedy !== null && { remedy }) }]
  }
}
