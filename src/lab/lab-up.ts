import { mkdir } from 'node:fs/promises'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { runCommand, tryCommand } from './hosts/command.ts'
import { isRunning, thisProcess } from './hosts/lab-process.ts'
import { addDirectWire, createNamespaces, onHost } from './hosts/namespaces.ts'
import { mountSpoolDisk } from './hosts/spool-disk.ts'
import { spoolDirectory, writeLabConfig } from './lab-config.ts'
import { startLabProcess } from './lab-control.ts'
import { downLab } from './lab-down.ts'
import { landbridgeArgv, startGateway, waitForPair } from './lab-gateways.ts'
import { withLabLock } from './lab-lock.ts'
import { ADDRESSES, type LabPaths, PORTS } from './lab-paths.ts'
import { createSecrets, type LoginName } from './lab-secrets.ts'
import {
  type GatewayRecord,
  type LabState,
  type LoginRecord,
  processNames,
  readState,
  updateState,
  writeState,
} from './lab-state.ts'
import {
  attachReplica,
  createAccounts,
  serverProcess,
  startDatabase,
} from './servers/lab-databases.ts'
import type { ServerRecord } from './servers/server-options.ts'
import { startWan } from './wan/lab-wan.ts'
import { requestWan } from './wan/wan.ts'
import { clearWan, type WanSettings } from './wan/wan-settings.ts'

export interface LabUpOptions {
  readonly paths: LabPaths
  readonly flavor: Flavor
  readonly wan: Partial<WanSettings>
  /** False: no gateways; the replica reads from the source itself. */
  readonly gateways: boolean
  /** With clocks that can be stepped and a disk of the spool's own, for chaos. */
  readonly breakable?: boolean
  /** Built anew, as this process's own; never in place of one whose owner is still running. */
  readonly owned?: boolean
  readonly progress: (line: string) => void
  readonly signal: AbortSignal
}

export interface LabUpResult {
  readonly state: LabState
  /** It was up before; nothing was built. */
  readonly already: boolean
}

const READY_SECONDS = 90

/**
 * Builds a lab. One that is up is left as it is (its missing processes are started); one that a
 * crash left half is removed and built anew. When building fails or is interrupted, nothing stays.
 */
export async function upLab(options: LabUpOptions): Promise<LabUpResult> {
  await requireMachine()
  const { paths, progress } = options
  return withLabLock(paths, async () => {
    const state = await readState(paths)
    if (options.owned === true) requireNoOtherOwner(paths, state)
    else if (state?.phase === 'up') return { state: await keepUp(options, state), already: true }
    if (state !== null) progress('removing what an earlier lab of this name left')
    await downLab(paths)
    try {
      return { state: await buildLab(options), already: false }
    } catch (error) {
      progress('removing what was built')
      await downLab(paths)
      throw error
    }
  })
}

function requireNoOtherOwner(paths: LabPaths, state: LabState | null): void {
  const owner = state?.owner ?? null
  if (owner === null || owner.pid === process.pid || !isRunning(owner)) return
  throw new LandbridgeError('ERR_LAB_BUSY', `the lab ${paths.name} belongs to process ${owner.pid}`)
}

async function requireMachine(): Promise<void> {
  const remedy = 'run it as root on Linux (a virtual machine or a privileged container will do)'
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new LandbridgeError('ERR_LAB_COMMAND', 'a lab needs network namespaces, so root', {
      remedy,
    })
  }
  if ((await tryCommand(['ip', '-V'])).code !== 0) {
    throw new LandbridgeError('ERR_LAB_COMMAND', 'a lab needs the program ip', {
      remedy: 'apt-get install iproute2',
    })
  }
}

async function keepUp(options: LabUpOptions, state: LabState): Promise<LabState> {
  const { paths, progress } = options
  if (state.flavor !== options.flavor) {
    throw new LandbridgeError('ERR_USAGE', `the lab ${paths.name} is up with ${state.flavor}`, {
      remedy: `landbridge lab down --name ${paths.name}, or another --name`,
    })
  }
  for (const name of processNames(state)) {
    const record = state.processes[name]
    if (record !== undefined && isRunning(record)) continue
    progress(`starting ${name}, which was not running`)
    await startLabProcess(paths, name, { locked: true })
  }
  const { settings } = await requestWan(paths.wanSocket, options.wan)
  return updateState(paths, (now) => ({ ...now, wan: { ...now.wan, settings } }))
}

async function buildLab(options: LabUpOptions): Promise<LabState> {
  const { paths, signal, progress, flavor } = options
  await mkdir(paths.runDirectory, { recursive: true, mode: 0o755 })
  await mkdir(paths.logDirectory, { recursive: true })
  const settings = { ...clearWan, ...options.wan }
  const logins = await createSecrets(paths)
  await writeState(paths, firstState(options, settings, logins))
  progress('hosts: network namespaces and the WAN between them')
  await createNamespaces(paths)
  const wan = await startWan(paths, settings)
  await updateState(paths, (state) => ({ ...state, processes: { ...state.processes, wan } }))
  signal.throwIfAborted()
  progress(`databases: ${flavor} at both sites`)
  const databases = await buildDatabases(options, logins)
  signal.throwIfAborted()
  if (options.gateways) await buildGateways(options, databases, logins)
  else {
    progress('no gateways: the replica reads from the source itself')
    await attachDirectly(options, databases, logins)
  }
  return updateState(paths, (state) => ({ ...state, phase: 'up' }))
}

type Databases = { readonly source: ServerRecord; readonly replica: ServerRecord }
type Logins = Readonly<Record<LoginName, LoginRecord>>

function firstState(options: LabUpOptions, settings: WanSettings, logins: Logins): LabState {
  const { paths, flavor } = options
  return {
    schema: 1,
    name: paths.name,
    phase: 'starting',
    createdAtMs: Date.now(),
    owner: options.owned === true ? thisProcess() : null,
    flavor,
    directory: paths.dataDirectory,
    wan: { controlSocket: paths.wanSocket, settings },
    processes: {},
    databases: {},
    logins,
    gateways: null,
    spoolDirectory: spoolDirectory(paths),
  }
}

async function buildDatabases(options: LabUpOptions, logins: Logins): Promise<Databases> {
  const { paths, flavor, signal } = options
  const start = async (name: 'source' | 'replica') => {
    const server = await startDatabase(paths, flavor, name, signal)
    return server
  }
  const [source, replica] = await allOrFirstError([start('source'), start('replica')])
  if (source === undefined || replica === undefined) throw new TypeError('two servers, two records')
  await updateState(paths, (state) => ({
    ...state,
    databases: { source, replica },
    processes: {
      ...state.processes,
      source: serverProcess(source),
      replica: serverProcess(replica),
    },
  }))
  await createAccounts({ source, replica }, logins)
  return { source, replica }
}

/** Like Promise.all, but nothing is still being started when it rejects. */
async function allOrFirstError<T>(started: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(started)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

async function buildGateways(
  options: LabUpOptions,
  databases: Databases,
  logins: Logins,
): Promise<void> {
  const { paths, flavor, signal, progress } = options
  const breakable = options.breakable === true
  const gateways = await writeLabConfig(paths, { flavor, ...databases, logins, breakable })
  if (breakable) await mountSpoolDisk(paths, spoolDirectory(paths))
  progress('gateways: starting both, waiting for tunnel, link and stream')
  const production = await startGateway(paths, gateways.production)
  const dr = await startGateway(paths, gateways.dr)
  await updateState(paths, (state) => ({
    ...state,
    gateways,
    processes: { ...state.processes, 'prod-gateway': production, 'dr-gateway': dr },
  }))
  const wait = {
    gateways,
    waitSeconds: READY_SECONDS,
    signal,
    processes: [production, dr],
    progress: (missing: string) => progress(`  waiting: ${missing}`),
  }
  await waitForPair({ ...wait, want: 'link' })
  progress('replica: attaching it to the relay')
  await attachThroughRelay(options, gateways.dr)
  await waitForPair({ ...wait, want: 'replica' })
}

/** As an operator does it, on the DR gateway: the lab shows the real command at work. */
async function attachThroughRelay(options: LabUpOptions, gateway: GatewayRecord): Promise<void> {
  await runCommand(
    [
      ...onHost(options.paths, 'dr-gw'),
      ...landbridgeArgv('replica', 'attach', '--config', gateway.config),
    ],
    { signal: options.signal },
  )
}

/** The replica's network has no way to production: a second wire, for this kind of lab only. */
async function attachDirectly(
  { paths }: LabUpOptions,
  databases: Databases,
  logins: Logins,
): Promise<void> {
  await addDirectWire(paths)
  const source = { host: ADDRESSES.prodDb, port: PORTS.source }
  await attachReplica(databases.replica, source, logins.relay)
}
