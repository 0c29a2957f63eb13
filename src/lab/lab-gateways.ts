import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fetchStatus } from '../api/admin-client.ts'
import { LandbridgeError } from '../base/errors.ts'
import { onlyLink } from '../status/links.ts'
import type { GatewayStatus, LinkStatus } from '../status/status.ts'
import { isRunning, type ProcessRecord, startProcess } from './hosts/lab-process.ts'
import { onHost } from './hosts/namespaces.ts'
import type { LabPaths } from './lab-paths.ts'
import type { GatewayRecord } from './lab-state.ts'

/** The program that people run, from source and as built: a lab's gateways are real ones. */
const LANDBRIDGE = fileURLToPath(new URL('../cli/landbridge.mjs', import.meta.url))

/** How to type `landbridge` on this machine, from this folder, so that a line can be copied. */
export function landbridgeCommand(): string {
  const path = relative(process.cwd(), LANDBRIDGE)
  return `node ${path.startsWith('..') ? LANDBRIDGE : path}`
}

/** argv that runs landbridge with the Node that runs this. */
export function landbridgeArgv(...words: string[]): string[] {
  return [process.execPath, LANDBRIDGE, ...words]
}

export function startGateway(paths: LabPaths, gateway: GatewayRecord): Promise<ProcessRecord> {
  const host = gateway.site === 'production' ? 'prod-gw' : 'dr-gw'
  return startProcess(
    [...onHost(paths, host), ...clockArgv(gateway, 'run', '--config', gateway.config)],
    { logFile: `${paths.logDirectory}/${gateway.name}.log` },
  )
}

/** With a clock of its own when the lab was made for breaking it. */
function clockArgv({ clockFile }: GatewayRecord, ...words: string[]): string[] {
  const [node = '', ...rest] = landbridgeArgv(...words)
  if (clockFile === undefined) return [node, ...rest]
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const clock = new URL(`./chaos/shifted-clock.${extension}`, import.meta.url).href
  return ['env', `LANDBRIDGE_LAB_CLOCK=${clockFile}`, node, '--import', clock, ...rest]
}

export interface PairStatus {
  readonly production: GatewayStatus | null
  readonly dr: GatewayStatus | null
}

export async function readPair(gateways: {
  readonly production: GatewayRecord
  readonly dr: GatewayRecord
}): Promise<PairStatus> {
  const [production, dr] = await Promise.all([
    peekStatus(gateways.production.adminSocket),
    peekStatus(gateways.dr.adminSocket),
  ])
  return { production, dr }
}

/** Null when nobody answers: gateways of a lab come and go. */
export async function peekStatus(adminSocket: string): Promise<GatewayStatus | null> {
  try {
    return await fetchStatus(adminSocket, { timeoutMs: 5_000 })
  } catch {
    // The caller says that it does not answer; why is in its log.
    return null
  }
}

/** What a pair still lacks to be ready, in the order of the flow; null when it is. */
export function missingOfPair(pair: PairStatus, want: 'link' | 'replica'): string | null {
  const { production, dr } = pair
  if (production === null) return 'the production gateway does not answer'
  if (dr === null) return 'the DR gateway does not answer'
  const tunnel = dr.tunnel.state
  if (tunnel !== 'up' && tunnel !== 'external') return `the tunnel is ${tunnel}`
  const link = onlyLink(dr.links)
  if (link?.state !== 'up') return `the link is ${link?.state}${lastError(link)}`
  const stream = dr.streams[0]
  if (stream?.state !== 'streaming') return `the stream is ${stream?.state}${firstProblem(pair)}`
  if (want === 'link') return null
  const attached = stream.replicas.some(
    ({ state }) => state === 'streaming' || state === 'caught-up',
  )
  return attached ? null : `no replica is attached${firstProblem(pair)}`
}

function lastError(link: LinkStatus | null): string {
  const error = link?.lastError ?? null
  return error === null ? '' : ` (${error.code}: ${error.message})`
}

function firstProblem({ production, dr }: PairStatus): string {
  const problem = [...(production?.problems ?? []), ...(dr?.problems ?? [])][0]
  return problem === undefined ? '' : ` (${problem.code}: ${problem.message})`
}

export interface WaitForPairOptions {
  readonly gateways: { readonly production: GatewayRecord; readonly dr: GatewayRecord }
  readonly want: 'link' | 'replica'
  readonly waitSeconds: number
  readonly signal: AbortSignal
  /** When given, a process that ends is an error at once instead of a long wait. */
  readonly processes?: readonly ProcessRecord[]
  readonly progress?: (missing: string) => void
}

/** What comes by itself within this time is not worth a line. */
const QUIET_MS = 3_000

export async function waitForPair(options: WaitForPairOptions): Promise<PairStatus> {
  const startedMs = performance.now()
  const deadlineMs = startedMs + options.waitSeconds * 1_000
  let said: string | null = null
  for (;;) {
    const pair = await readPair(options.gateways)
    const missing = missingOfPair(pair, options.want)
    if (missing === null) return pair
    if (missing !== said && performance.now() - startedMs > QUIET_MS) {
      options.progress?.(missing)
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
