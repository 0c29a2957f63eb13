import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { DatabaseAttempts } from '../database/database-attempts.ts'
import type { GatewayConfig, StreamConfig } from './config/gateway-config.ts'
import { CopyHalf } from './copy-half.ts'
import { OriginHalf } from './origin-half.ts'
import { relayPlacesOf } from './relay-places.ts'
import { Stream, type StreamOptions } from './stream.ts'
import { loadStreamIdentity } from './stream-identity.ts'

export interface StreamsOptions extends Pick<StreamOptions, 'endSessions'> {
  /** Clock of the gateways at a site minus own, as the link knows it now. */
  readonly clockOffsetMs: (site: string) => number | null
  readonly clock: Clock
  readonly log: Log
}

/** The streams of a gateway, each with the newest term that is known of it here. */
export async function loadStreams(
  config: GatewayConfig,
  options: StreamsOptions,
): Promise<Stream[]> {
  const attempts = new DatabaseAttempts(options.clock)
  const relayPlaces = relayPlacesOf(config.streams, options.log)
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
          return new OriginHalf({ ...own, gateway, peers, link, attempts: budget })
        return new CopyHalf({
          ...own,
          ...{ dataDir, term, relayPlaces, windowBytes: link.windowBytes },
          clockOffsetMs: () => options.clockOffsetMs(origin),
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

/** Throws ERR_STREAM_UNKNOWN. */
export function findStream(streams: readonly Stream[], name: string): Stream {
  const found = streams.find((stream) => stream.name === name)
  if (found !== undefined) return found
  const names = streams.map((stream) => stream.name).join(', ')
  throw new LandbridgeError('ERR_STREAM_UNKNOWN', `this gateway has no stream ${name}`, {
    remedy: `It has: ${names}.`,
  })
}
