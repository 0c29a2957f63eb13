import type { Clock } from '../base/clock.ts'
import type { ClockReading } from '../base/clock-offset.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Operation } from '../base/operation.ts'
import { DatabaseAttempts } from '../database/database-attempts.ts'
import type { MetricSheet } from '../observe/metric-sheet.ts'
import { pauseProblems } from '../status/pause-problems.ts'
import type { GatewayStatus, Problem, RefusedStatus, StreamStatus } from '../status/status.ts'
import type { Capability, StatusParts } from './capability.ts'
import type { GatewayConfig, StreamConfig } from './config/gateway-config.ts'
import { CopyHalf } from './copy-half.ts'
import { OriginHalf } from './origin-half.ts'
import { relayPlacesOf } from './relay-places.ts'
import { replicaOperations } from './replica-operations.ts'
import { replicaRelease } from './replica-release.ts'
import { Stream, type StreamOptions } from './stream.ts'
import { loadStreamIdentity } from './stream-identity.ts'
import { streamMetrics } from './stream-metrics.ts'
import { termAdvance } from './term-advance.ts'
import { throttleOperations } from './throttle/throttle-operations.ts'
import type { PathProbe } from './throttle/yield-watch.ts'

export interface StreamsOptions extends Pick<StreamOptions, 'endSessions'> {
  /** Clock of a gateway minus own, as the link knows it now. */
  readonly clockOf: (gateway: string) => ClockReading | null
  /** The session that this gateway dialled to a peer; null while there is none. */
  readonly probe: (peer: string) => PathProbe | null
  /** Why peers may not follow what is decided here. */
  readonly doubts: () => string[]
  readonly clock: Clock
  readonly log: Log
}

/** The streams of a gateway, each with the newest term that is known of it here. */
export class Streams implements Capability {
  readonly list: readonly Stream[]
  /** One that fails takes the links down at once, not only after the others have ended. */
  readonly flow: readonly Stream[]
  readonly operations: readonly Operation[]

  private constructor(list: readonly Stream[], operations: readonly Operation[]) {
    this.list = list
    this.flow = list
    this.operations = operations
  }

  static async load(config: GatewayConfig, options: StreamsOptions): Promise<Streams> {
    const { site, dataDir, peers } = config
    const list = await loadStreams(config, options)
    const sites = [...new Set([site, ...peers.map((peer) => peer.site)])]
    const advance = termAdvance({ site, sites, streams: list, warnings: options.doubts })
    const replica = replicaOperations({ site, dataDir, streams: list, clock: options.clock })
    const throttle = throttleOperations({ site, streams: list, clock: options.clock })
    return new Streams(list, [...replica, replicaRelease(list), advance, ...throttle])
  }

  status(): StreamStatus[] {
    return this.list.map((stream) => stream.status())
  }

  problems({ streams, nowMs }: StatusParts): Problem[] {
    const own = this.list.flatMap((stream) => stream.problems())
    return [...own, ...pauseProblems({ streams, nowMs })]
  }

  refused(): RefusedStatus[] {
    return this.list.flatMap(({ half }) => half.refused())
  }

  metrics(sheet: MetricSheet, { streams }: GatewayStatus): void {
    streamMetrics(sheet, streams)
  }
}

async function loadStreams(config: GatewayConfig, options: StreamsOptions): Promise<Stream[]> {
  const attempts = new DatabaseAttempts(options.clock)
  const relayPlaces = relayPlacesOf(config, options.log)
  const load = async (stream: StreamConfig): Promise<Stream> => {
    const { name: gateway, site, dataDir, peers, link } = config
    const { clock, endSessions } = options
    const log = options.log.child({ stream: stream.name })
    const budget = attempts.at(stream.database)
    const names = peers.map((peer) => peer.name)
    const identity = await loadStreamIdentity(dataDir, stream.name, names).catch(keepError)
    const common = { config: stream, clock, log }
    return await Stream.load({
      ...{ dataDir, gateway, site, config: stream, peers, endSessions, clock, log },
      database: stream.database && { ...stream.database, attempts: budget },
      makeHalf: ({ term, origin }) => {
        if (identity instanceof LandbridgeError) throw identity
        const own = { ...common, identity }
        if (origin === site)
          return new OriginHalf({
            ...{ ...own, gateway, peers, link, attempts: budget, dataDir, term },
            probe: options.probe,
          })
        return new CopyHalf({
          ...own,
          ...{ dataDir, term, relayPlaces, windowBytes: link.windowBytes },
          clockOf: options.clockOf,
          replicaAttempts: budget,
        })
      },
    })
  }
  return await Promise.all(config.streams.map(load))
}

/** A damaged file blocks the stream that it is of, and no other. */
function keepError(error: unknown): LandbridgeError {
  if (error instanceof LandbridgeError) return error
  throw error
}
