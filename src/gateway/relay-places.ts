import type { RelayLimits } from '../relay/relay-server.ts'

/** Without streams: Node, log, link and tunnel 30, admin socket and metrics 24 each. */
const GATEWAY_FILES = 96
/** Of a stream at DR: lock, newest file, records and folders that are synced, asked replica. */
const STREAM_FILES = 16
/** Of a connection of the relay: its socket and the stored file that it reads. */
const READER_FILES = 2
const PLACES_MIN = 4

export type RelayPlaces = Pick<RelayLimits, 'connectionsMax' | 'greetingsMax'>

/**
 * How many connections each of `relays` may have: the last descriptors of the process belong to the
 * spool, the link and the admin socket, or readers would stop the stream. With few descriptors a
 * quarter of the places is for those who have not logged in.
 */
export function relayPlaces(filesMax: number, relays: number, usual: RelayPlaces): RelayPlaces {
  const left = filesMax - GATEWAY_FILES - relays * STREAM_FILES
  const places = Math.max(PLACES_MIN, Math.floor(left / relays / READER_FILES))
  if (places >= usual.connectionsMax + usual.greetingsMax) return usual
  const greetingsMax = Math.min(usual.greetingsMax, Math.floor(places / 4))
  return { greetingsMax, connectionsMax: places - greetingsMax }
}
