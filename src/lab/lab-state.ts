import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import type { ProcessRecord } from './hosts/lab-process.ts'
import { listNamespaces } from './hosts/namespaces.ts'
import { type LabPaths, labPaths, labsDataDirectory, labsRunDirectory } from './lab-paths.ts'
import {
  type DatabaseName,
  databaseName,
  type LabShape,
  originOf,
  type ProcessName,
  processesOf,
  type StreamName,
} from './lab-shape.ts'
import { labOfNamespace, type SiteName } from './lab-sites.ts'
import type { ServerRecord } from './servers/server-options.ts'
import type { WanPairSettings } from './wan/wan-settings.ts'

export interface LoginRecord {
  readonly user: string
  readonly passwordFile: string
}

export interface GatewayRecord {
  readonly name: string
  readonly site: SiteName
  readonly config: string
  readonly adminSocket: string
  readonly interface: string
  /** Milliseconds that its wall clock is ahead of the machine's; see chaos/shifted-clock.ts. */
  readonly clockFile?: string
}

/** state.json: all that is needed to use, repair and remove a lab. */
export interface LabState extends LabShape {
  readonly schema: 2
  readonly name: string
  /** `starting` in a file that nobody holds the lock of: the `up` that wrote it is gone. */
  readonly phase: 'starting' | 'up'
  readonly createdAtMs: number
  /** The demo that this lab belongs to; somebody else's lab when that process is gone. */
  readonly owner: Pick<ProcessRecord, 'pid' | 'pidStartTicks'> | null
  readonly flavor: Flavor
  readonly directory: string
  readonly wan: { readonly controlSocket: string; readonly pairs: readonly WanPairSettings[] }
  readonly processes: Partial<Record<ProcessName, ProcessRecord>>
  readonly databases: Partial<Record<DatabaseName, ServerRecord>>
  readonly logins: Readonly<Record<string, LoginRecord>>
  /** One a site; none in a lab whose replicas read from the sources themselves. */
  readonly gateways: readonly GatewayRecord[]
}

const SCHEMA: LabState['schema'] = 2

/** Null: there is none, or one that another version of landbridge made. */
export async function readState(paths: LabPaths): Promise<LabState | null> {
  const state = await readAnyState(paths)
  return state?.schema === SCHEMA ? (state as LabState) : null
}

/** What every version of landbridge writes: enough to leave a lab alone, or to end it. */
export type AnyState = Pick<LabState, 'owner' | 'phase'> & {
  readonly schema: number
  readonly processes: Readonly<Record<string, ProcessRecord>>
}

export async function readAnyState(paths: LabPaths): Promise<AnyState | null> {
  try {
    return JSON.parse(await readFile(paths.stateFile, 'utf8'))
  } catch {
    // Missing, or cut short by a crash: everything in it can be derived from the name again.
    return null
  }
}

export async function writeState(paths: LabPaths, state: LabState): Promise<void> {
  await replaceFile(paths.stateFile, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
}

export async function requireState(paths: LabPaths): Promise<LabState> {
  const state = await readState(paths)
  if (state !== null) return state
  throw new LandbridgeError('ERR_LAB_NOT_UP', `the lab ${paths.name} is not up`, {
    remedy: `landbridge lab up --name ${paths.name}`,
  })
}

export async function updateState(
  paths: LabPaths,
  change: (state: LabState) => LabState,
): Promise<LabState> {
  const state = change(await requireState(paths))
  await writeState(paths, state)
  return state
}

/** Names of all labs of which anything is there: a folder, or a namespace. */
export async function listLabs(): Promise<string[]> {
  const names = new Set<string>()
  for (const directory of [labsRunDirectory(), labsDataDirectory()]) {
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      if (entry.isDirectory()) names.add(entry.name)
    }
  }
  for (const namespace of await listNamespaces()) {
    const name = labOfNamespace(namespace)
    if (name !== null) names.add(name)
  }
  return [...names].filter(isLabName).sort()
}

function isLabName(name: string): boolean {
  try {
    return labPaths(name).name === name
  } catch {
    return false
  }
}

/** The processes a lab of this shape has, in the order they are started. */
export function processNames(
  state: Pick<LabState, 'sites' | 'streams' | 'gateways'>,
): readonly ProcessName[] {
  return processesOf(state, state.gateways.length > 0)
}

/** A stream's server at a site. Throws ERR_LAB_NOT_UP while there is none yet. */
export function databaseOf(state: LabState, stream: StreamName, site: SiteName): ServerRecord {
  const server = state.databases[databaseName(state, stream, site)]
  if (server !== undefined) return server
  throw new LandbridgeError('ERR_LAB_NOT_UP', `the lab ${state.name} has no databases yet`)
}

/** The server that a stream is written to. */
export function sourceOf(state: LabState, stream: StreamName): ServerRecord {
  return databaseOf(state, stream, originOf(state, stream))
}

export function gatewayOf(state: LabState, site: SiteName): GatewayRecord {
  const gateway = state.gateways.find((one) => one.site === site)
  if (gateway !== undefined) return gateway
  throw new LandbridgeError('ERR_USAGE', `the lab ${state.name} has no gateway at ${site}`)
}

/** Where the gateway of a site keeps a stream while the site is a copy. */
export function spoolOf(
  { directory }: Pick<LabState, 'directory'>,
  stream: StreamName,
  site: SiteName,
): string {
  return join(directory, site, 'spool', stream)
}
