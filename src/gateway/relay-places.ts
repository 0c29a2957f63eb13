import { PAGE_CONNECTIONS_MAX } from '../api/page/page-server.ts'
import type { Log } from '../base/log.ts'
import { openFilesMax } from '../base/open-files.ts'
import { RELAY_LIMITS, type RelayLimits } from '../relay/relay-server.ts'
import type { GatewayConfig } from './config/gateway-config.ts'

/** Without streams: Node, log, link and tunnel 30, two admin sockets and metrics 16 each. */
const GATEWAY_FILES = 96
/** Of a stream at a copy: lock, newest file, records and folders that are synced, asked replica. */
const STREAM_FILES = 16
/** Of a dump: its socket and the stored file that it reads. */
const DUMP_FILES = 2
const FILES_MIN = 8

export type RelayPlaces = Pick<RelayLimits, 'dumpsMax' | 'loginsMax' | 'greetingsMax'>

/** For the relays of this process, with a warning where they get less than usual. */
export function relayPlacesOf(
  { streams, page }: Pick<GatewayConfig, 'streams' | 'page'>,
  log: Log,
): RelayPlaces {
  const relays = streams.filter(({ relay }) => relay !== null).length
  const pageFiles = page === null ? 0 : PAGE_CONNECTIONS_MAX
  const places = relayPlaces(openFilesMax() - pageFiles, Math.max(1, relays), RELAY_LIMITS)
  if (relays > 0 && places.dumpsMax < RELAY_LIMITS.dumpsMax) {
    const message = `the limit of open files leaves each relay ${places.dumpsMax} dumps`
    log.warn({ remedy: 'Raise it: LimitNOFILE= in the unit, ulimit -n, --ulimit nofile' }, message)
  }
  return places
}

/**
 * How many connections each of `relays` may have: the last descriptors of the process belong to the
 * spool, the link and the admin socket, or readers would stop the stream. With few descriptors each
 * kind gets less in proportion.
 */
export function relayPlaces(filesMax: number, relays: number, usual: RelayPlaces): RelayPlaces {
  const left = (filesMax - GATEWAY_FILES) / relays - STREAM_FILES
  const { dumpsMax, loginsMax, greetingsMax } = usual
  const wanted = dumpsMax * DUMP_FILES + loginsMax + greetingsMax
  const part = Math.min(1, Math.max(FILES_MIN, left) / wanted)
  const places = (max: number) => Math.max(1, Math.floor(max * part))
  return {
    dumpsMax: places(dumpsMax),
    loginsMax: places(loginsMax),
    greetingsMax: places(greetingsMax),
  }
}
