import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { LandbridgeError } from '../base/errors.ts'
import { linksOfStream } from '../status/links.ts'
import type { GatewayStatus, LinkStatus, StreamStatus } from '../status/status.ts'
import { isRunning, type ProcessRecord } from './hosts/lab-process.ts'
import { peekStatus } from './lab-gateways.ts'
import { copiesOf, type LabCopy, type LabShape } from './lab-shape.ts'
import { isSiteName, type SiteName } from './lab-sites.ts'
import type { GatewayRecord } from './lab-state.ts'

/** What the gateway of a site answered; null: nothing. */
export interface SiteStatus {
  readonly site: SiteName
  readonly status: GatewayStatus | null
}

export async function readSites(gateways: readonly GatewayRecord[]): Promise<SiteStatus[]> {
  return await Promise.all(
    gateways.map(async ({ site, adminSocket }) => ({
      site,
      status: await peekStatus(adminSocket),
    })),
  )
}

export function statusAt(sites: readonly SiteStatus[], site: SiteName): GatewayStatus | null {
  return sites.find((one) => one.site === site)?.status ?? null
}

export function streamAt(
  sites: readonly SiteStatus[],
  { stream, site }: LabCopy,
): StreamStatus | null {
  return statusAt(sites, site)?.streams.find(({ name }) => name === stream) ?? null
}

/** The shape with the origins of now, as the gateways tell: an operation may have moved them. */
export function shapeNow(shape: LabShape, sites: readonly SiteStatus[]): LabShape {
  const streams = shape.streams.map((stream) => {
    const terms = sites.flatMap(({ site }) => {
      const term = streamAt(sites, { stream: stream.name, site })?.term
      return term === undefined ? [] : [term]
    })
    const newest = terms.sort((one, other) => other.term - one.term)[0]
    const origin = newest?.origin ?? stream.origin
    return isSiteName(origin) ? { ...stream, origin } : stream
  })
  return { ...shape, streams }
}

export type Wanted = 'link' | 'replica'

/** What a lab still lacks to be ready, in the order of the flow; null when it is. */
export function missingOfLab(
  shape: LabShape,
  sites: readonly SiteStatus[],
  want: Wanted,
): string | null {
  const silent = silentSite(sites)
  if (silent !== null) return `the ${silent} gateway does not answer`
  for (const copy of copiesOf(shapeNow(shape, sites))) {
    const missing = missingOfCopy(copy, sites, want)
    if (missing !== null) return `${copy.stream} at ${copy.site}: ${missing}`
  }
  return null
}

/** The first site whose gateway does not answer. */
function silentSite(sites: readonly SiteStatus[]): SiteName | null {
  return sites.find(({ status }) => status === null)?.site ?? null
}

function missingOfCopy(copy: LabCopy, sites: readonly SiteStatus[], want: Wanted): string | null {
  const status = statusAt(sites, copy.site)
  const stream = streamAt(sites, copy)
  if (status === null || stream === null) return 'the gateway does not have it'
  const tunnel = status.tunnel.state
  if (tunnel !== 'up' && tunnel !== 'external') return `the tunnel is ${tunnel}`
  const link = linksOfStream(status.links, stream)[0]
  if (link?.state !== 'up') return `the link is ${link?.state}${lastError(link)}`
  if (stream.state !== 'streaming') return `the stream is ${stream.state}${firstProblem(sites)}`
  if (want === 'link') return null
  const attached = stream.replicas.some(
    ({ state }) => state === 'streaming' || state === 'caught-up',
  )
  return attached ? null : `no replica is attached${firstProblem(sites)}`
}

function lastError(link: LinkStatus | undefined): string {
  const error = link?.lastError ?? null
  return error === null ? '' : ` (${error.code}: ${error.message})`
}

function firstProblem(sites: readonly SiteStatus[]): string {
  const problem = sites.flatMap(({ status }) => status?.problems ?? [])[0]
  return problem === undefined ? '' : ` (${problem.code}: ${problem.message})`
}

export interface WaitForLabOptions {
  readonly shape: LabShape
  readonly gateways: readonly GatewayRecord[]
  readonly want: Wanted
  readonly waitSeconds: number
  readonly signal: AbortSignal
  /** When given, a process that ends is an error at once instead of a long wait. */
  readonly processes?: readonly ProcessRecord[]
  /** `silent`: the site whose gateway does not answer, where that is what is missing. */
  readonly progress?: (missing: string, silent: SiteName | null) => void
}

/** What comes by itself within this time is not worth a line. */
const QUIET_MS = 3_000

export async function waitForLab(options: WaitForLabOptions): Promise<void> {
  const startedMs = performance.now()
  const deadlineMs = startedMs + options.waitSeconds * 1_000
  let said: string | null = null
  for (;;) {
    const sites = await readSites(options.gateways)
    const missing = missingOfLab(options.shape, sites, options.want)
    if (missing === null) return
    if (missing !== said && performance.now() - startedMs > QUIET_MS) {
      options.progress?.(missing, silentSite(sites))
      said = missing
    }
    for (const record of options.processes ?? []) await requireRunning(record)
    if (performance.now() > deadlineMs) {
      throw new LandbridgeError(
        'ERR_LAB_TIMEOUT',
        `the gateways are not ready after ${options.waitSeconds} s: ${missing}`,
      )
    }
    await sleep(200, undefined, { signal: options.signal })
  }
}

async function requireRunning(record: ProcessRecord): Promise<void> {
  if (isRunning(record)) return
  const log = await readFile(record.logFile, 'utf8').catch(() => '')
  const tail = log.trimEnd().split('\n').slice(-8).join('\n')
  throw new LandbridgeError('ERR_LAB_PROCESS', `a gateway has ended:\n${tail}`, {
    remedy: `read ${record.logFile}`,
  })
}
