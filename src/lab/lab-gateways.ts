import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchStatus } from '../api/admin-client.ts'
import type { GatewayStatus } from '../status/status.ts'
import { type ProcessRecord, startProcess } from './hosts/lab-process.ts'
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
  return startProcess(
    [
      ...onHost(paths, `${gateway.site}-gw`),
      ...clockArgv(gateway, 'run', '--config', gateway.config),
    ],
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

/** Null when nobody answers: gateways of a lab come and go. */
export async function peekStatus(adminSocket: string): Promise<GatewayStatus | null> {
  try {
    return await fetchStatus(adminSocket, { timeoutMs: 5_000 })
  } catch {
    // The caller says that it does not answer; why is in its log.
    return null
  }
}
