import { LandbridgeError } from '../base/errors.ts'
import { SITES, type SiteName } from './lab-sites.ts'

/** Names of the streams of a lab, in their order. */
export const STREAMS = ['main', 'back'] as const
export type StreamName = (typeof STREAMS)[number]

export interface LabStream {
  readonly name: StreamName
  /** The origin in the first term: where the lab writes. */
  readonly origin: SiteName
}

/** What a lab consists of. Every stream is copied from its origin to every other site. */
export interface LabShape {
  readonly sites: readonly SiteName[]
  readonly streams: readonly LabStream[]
}

/** A stream at a site that is not its origin. */
export interface LabCopy {
  readonly stream: StreamName
  readonly site: SiteName
}

export type GatewayName = `${SiteName}-gateway`
export type DatabaseName = `${SiteName}-db` | `${SiteName}-db-${StreamName}`
export type ProcessName = 'wan' | GatewayName | DatabaseName

/** All that any lab can have, of every shape. */
export const PROCESSES: readonly ProcessName[] = [
  'wan',
  ...SITES.map((site) => `${site}-gateway` as const),
  ...SITES.map((site) => `${site}-db` as const),
  ...SITES.flatMap((site) => STREAMS.map((stream) => `${site}-db-${stream}` as const)),
]

export interface ShapeWish {
  readonly sites: number
  readonly streams: number
  /** Of the first stream. Default: the first site. */
  readonly origin?: SiteName
}

/** Throws ERR_USAGE. The second stream goes the other way: from the first other site. */
export function labShape({ sites: count, streams: streamCount, origin }: ShapeWish): LabShape {
  requireCount('--sites', count, 2, SITES.length)
  requireCount('--streams', streamCount, 1, STREAMS.length)
  const sites = SITES.slice(0, count)
  const first = origin ?? SITES[0]
  if (!sites.includes(first)) {
    throw new LandbridgeError('ERR_USAGE', `--origin ${first} is none of ${sites.join(', ')}`)
  }
  const origins = [first, ...sites.filter((site) => site !== first)]
  const streams = STREAMS.slice(0, streamCount).map((name, index) => ({
    name,
    origin: origins[index] ?? first,
  }))
  return { sites, streams }
}

function requireCount(flag: string, count: number, least: number, most: number): void {
  if (Number.isInteger(count) && count >= least && count <= most) return
  throw new LandbridgeError('ERR_USAGE', `${flag} ${count} is not from ${least} to ${most}`)
}

export function copiesOf({ sites, streams }: LabShape): LabCopy[] {
  return streams.flatMap(({ name, origin }) =>
    sites.filter((site) => site !== origin).map((site) => ({ stream: name, site })),
  )
}

export function originOf({ streams }: LabShape, name: StreamName): SiteName {
  const found = streams.find((stream) => stream.name === name)
  if (found === undefined) throw new TypeError(`the lab has no stream ${name}`)
  return found.origin
}

/** How a copy is called where a lab has several; the only one needs no name. */
export function copyLabel(shape: LabShape, { stream, site }: LabCopy): string {
  return copiesOf(shape).length === 1 ? '' : `${stream} at ${site}`
}

/** `text` of the copy that is called `label`. */
export function labelled(label: string, text: string, mark = ': '): string {
  return label === '' ? text : `${label}${mark}${text}`
}

/** The process of a stream's database at a site: named after the stream where there are several. */
export function databaseName(shape: LabShape, stream: StreamName, site: SiteName): DatabaseName {
  return shape.streams.length === 1 ? `${site}-db` : `${site}-db-${stream}`
}

export function gatewayName(site: SiteName): GatewayName {
  return `${site}-gateway`
}

export interface LabDatabase {
  readonly name: DatabaseName
  readonly stream: StreamName
  readonly site: SiteName
  readonly role: 'origin' | 'copy'
  readonly port: number
  readonly serverId: number
}

const DATABASE_PORT = 3306
const RELAY_PORT = 3307
/** From the ports of one stream to those of the next. */
const PORT_STEP = 10

/** One of each stream at each site. */
export function databasesOf(shape: LabShape): LabDatabase[] {
  return shape.streams.flatMap(({ name: stream, origin }) =>
    shape.sites.map((site) => ({
      name: databaseName(shape, stream, site),
      stream,
      site,
      role: site === origin ? ('origin' as const) : ('copy' as const),
      port: DATABASE_PORT + PORT_STEP * STREAMS.indexOf(stream),
      serverId: 1_000 * (SITES.indexOf(site) + 1) + STREAMS.indexOf(stream) + 1,
    })),
  )
}

export function relayPort(stream: StreamName): number {
  return RELAY_PORT + PORT_STEP * STREAMS.indexOf(stream)
}

/** The processes of a lab of this shape, in the order they are started. */
export function processesOf(shape: LabShape, hasGateways: boolean): ProcessName[] {
  const databases = databasesOf(shape).map(({ name }) => name)
  const gateways = hasGateways ? shape.sites.map(gatewayName) : []
  return ['wan', ...databases, ...gateways]
}
