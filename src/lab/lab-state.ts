import { readdir, readFile } from 'node:fs/promises'
import { replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import type { ProcessRecord } from './hosts/lab-process.ts'
import { listNamespaces } from './hosts/namespaces.ts'
import { HOSTS, type LabPaths, labPaths, labsDataDirectory, labsRunDirectory } from './lab-paths.ts'
import type { ServerRecord } from './servers/server-options.ts'
import type { WanSettings } from './wan/wan-settings.ts'

export const PROCESSES = ['source', 'replica', 'prod-gateway', 'dr-gateway', 'wan'] as const
export type ProcessName = (typeof PROCESSES)[number]

export interface LoginRecord {
  readonly user: string
  readonly passwordFile: string
}

export interface GatewayRecord {
  readonly name: string
  readonly site: 'production' | 'dr'
  readonly config: string
  readonly adminSocket: string
  readonly interface: string
  /** Milliseconds that its wall clock is ahead of the machine's; see chaos/shifted-clock.ts. */
  readonly clockFile?: string
}

/** state.json: all that is needed to use, repair and remove a lab. */
export interface LabState {
  readonly schema: 1
  readonly name: string
  /** `starting` in a file that nobody holds the lock of: the `up` that wrote it is gone. */
  readonly phase: 'starting' | 'up'
  readonly createdAtMs: number
  /** The demo that this lab belongs to; somebody else's lab when that process is gone. */
  readonly owner: Pick<ProcessRecord, 'pid' | 'pidStartTicks'> | null
  readonly flavor: Flavor
  readonly directory: string
  readonly wan: { readonly controlSocket: string; readonly settings: WanSettings }
  readonly processes: Partial<Record<ProcessName, ProcessRecord>>
  readonly databases: { readonly source?: ServerRecord; readonly replica?: ServerRecord }
  readonly logins: Readonly<Record<string, LoginRecord>>
  readonly gateways: { readonly production: GatewayRecord; readonly dr: GatewayRecord } | null
  readonly spoolDirectory: string
}

export async function readState(paths: LabPaths): Promise<LabState | null> {
  try {
    const state: LabState = JSON.parse(await readFile(paths.stateFile, 'utf8'))
    return state
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
    for (const host of HOSTS) {
      const match = namespace.startsWith('lb-') && namespace.endsWith(`-${host}`)
      if (match) names.add(namespace.slice(3, -host.length - 1))
    }
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
export function processNames(state: LabState): readonly ProcessName[] {
  const always = ['wan', 'source', 'replica'] as const
  return state.gateways === null ? always : [...always, 'prod-gateway', 'dr-gateway']
}
