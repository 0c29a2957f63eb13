import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { runCommand, tryCommand } from './hosts/command.ts'
import { isRunning, type ProcessRecord, thisProcess } from './hosts/lab-process.ts'
import { addDirectWire, createNamespaces, onHost } from './hosts/namespaces.ts'
import { mountSpoolDisk } from './hosts/spool-disk.ts'
import { writeLabConfig } from './lab-config.ts'
import { startLabProcess, wanNow } from './lab-control.ts'
import { downLab } from './lab-down.ts'
import { landbridgeArgv, startGateway } from './lab-gateways.ts'
import { withLabLock } from './lab-lock.ts'
import type { LabPaths } from './lab-paths.ts'
import { waitForLab } from './lab-readiness.ts'
import { createSecrets, type LoginName } from './lab-secrets.ts'
import {
  copiesOf,
  type DatabaseName,
  databaseName,
  databasesOf,
  gatewayName,
  type LabCopy,
  type LabShape,
  originOf,
} from './lab-shape.ts'
import { pairsOf } from './lab-sites.ts'
import {
  type AnyState,
  type GatewayRecord,
  type LabState,
  type LoginRecord,
  processNames,
  readAnyState,
  readState,
  spoolOf,
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
import { clearWan, type WanPairSettings, type WanSettings } from './wan/wan-settings.ts'

export interface LabUpOptions {
  readonly paths: LabPaths
  readonly shape: LabShape
  readonly flavor: Flavor
  readonly wan: Partial<WanSettings>
  /** False: no gateways; the replicas read from the sources themselves. */
  readonly gateways: boolean
  /** With clocks that can be stepped and a disk of the spools' own at each site, for chaos. */
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
    const found = await readAnyState(paths)
    const state = await readState(paths)
    if (options.owned === true) requireNoOtherOwner(paths, found)
    else if (state?.phase === 'up') return { state: await keepUp(options, state), already: true }
    else if (found?.phase === 'up') throw otherVersion(paths)
    if (found !== null) progress('removing what an earlier lab of this name left')
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

function otherVersion({ name }: LabPaths): LandbridgeError {
  const message = `another version of landbridge made the lab ${name}`
  return new LandbridgeError('ERR_USAGE', message, {
    remedy: `landbridge lab down --name ${name}, or another --name`,
  })
}

function requireNoOtherOwner(paths: LabPaths, state: AnyState | null): void {
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
  requireShape(paths, state, options.shape)
  for (const name of processNames(state)) {
    const record = state.processes[name]
    if (record !== undefined && isRunning(record)) continue
    progress(`starting ${name}, which was not running`)
    await startLabProcess(paths, name, { locked: true })
  }
  const report = await requestWan(paths.wanSocket, options.wan)
  return updateState(paths, (now) => ({ ...now, wan: wanNow(now, report) }))
}

function requireShape(paths: LabPaths, { sites, streams }: LabState, wanted: LabShape): void {
  if (isDeepStrictEqual({ sites, streams }, { ...wanted })) return
  const origins = streams.map(({ name, origin }) => `${name} from ${origin}`).join(', ')
  const message = `the lab ${paths.name} is up with ${sites.join(', ')} and ${origins}`
  throw new LandbridgeError('ERR_USAGE', message, {
    remedy: `landbridge lab down --name ${paths.name}, or another --name`,
  })
}

async function buildLab(options: LabUpOptions): Promise<LabState> {
  const { paths, shape, signal, progress, flavor } = options
  await mkdir(paths.runDirectory, { recursive: true, mode: 0o755 })
  await mkdir(paths.logDirectory, { recursive: true })
  const settings = { ...clearWan, ...options.wan }
  const logins = await createSecrets(paths)
  const pairs = pairsOf(shape.sites).map((between) => ({ between, settings }))
  await writeState(paths, firstState(options, pairs, logins))
  progress('hosts: network namespaces and the WAN between them')
  await createNamespaces(paths, shape.sites)
  const wan = await startWan(paths, pairs)
  await updateState(paths, (state) => ({ ...state, processes: { ...state.processes, wan } }))
  signal.throwIfAborted()
  progress(`databases: ${flavor} at ${shape.sites.join(', ')}`)
  const databases = await buildDatabases(options, logins)
  signal.throwIfAborted()
  if (options.gateways) await buildGateways(options, databases, logins)
  else {
    progress('no gateways: the replicas read from the sources themselves')
    await attachDirectly(options, databases, logins)
  }
  return updateState(paths, (state) => ({ ...state, phase: 'up' }))
}

type Databases = Partial<Record<DatabaseName, ServerRecord>>
type Logins = Readonly<Record<LoginName, LoginRecord>>

function firstState(
  options: LabUpOptions,
  pairs: readonly WanPairSettings[],
  logins: Logins,
): LabState {
  const { paths, shape, flavor } = options
  return {
    schema: 2,
    ...shape,
    name: paths.name,
    phase: 'starting',
    createdAtMs: Date.now(),
    owner: options.owned === true ? thisProcess() : null,
    flavor,
    directory: paths.dataDirectory,
    wan: { controlSocket: paths.wanSocket, pairs },
    processes: {},
    databases: {},
    logins,
    gateways: [],
  }
}

async function buildDatabases(options: LabUpOptions, logins: Logins): Promise<Databases> {
  const { paths, shape, flavor, signal } = options
  const wanted = databasesOf(shape)
  const servers = await allOrFirstError(
    wanted.map((database) => startDatabase(paths, flavor, database, signal)),
  )
  const databases = Object.fromEntries(servers.map((server, at) => [wanted[at]?.name, server]))
  const processes = Object.fromEntries(
    servers.map((server, at) => [wanted[at]?.name, serverProcess(server)]),
  )
  await updateState(paths, (state) => ({
    ...state,
    databases,
    processes: { ...state.processes, ...processes },
  }))
  for (const [at, server] of servers.entries()) {
    await createAccounts(server, wanted[at]?.role ?? 'copy', logins)
  }
  return databases
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
  const { paths, shape, flavor, signal, progress } = options
  const breakable = options.breakable === true
  const config = { shape, flavor, databases, logins, breakable }
  const gateways = await writeLabConfig(paths, config)
  if (breakable) await mountSpoolDisks(options)
  progress(`gateways: starting ${gateways.length}, waiting for tunnel, link and stream`)
  const started: ProcessRecord[] = []
  for (const gateway of gateways) started.push(await startGateway(paths, gateway))
  const processes = Object.fromEntries(
    gateways.map(({ site }, at) => [gatewayName(site), started[at]]),
  )
  await updateState(paths, (state) => ({
    ...state,
    gateways,
    processes: { ...state.processes, ...processes },
  }))
  const wait = {
    shape,
    gateways,
    waitSeconds: READY_SECONDS,
    signal,
    processes: started,
    progress: (missing: string) => progress(`  waiting: ${missing}`),
  }
  await waitForLab({ ...wait, want: 'link' })
  progress('replicas: attaching each to the relay of its site')
  for (const copy of copiesOf(shape)) await attachThroughRelay(options, gateways, copy)
  await waitForLab({ ...wait, want: 'replica' })
}

/** One a site that ever is a copy; all of its spools share it. */
async function mountSpoolDisks({ paths, shape }: LabUpOptions): Promise<void> {
  const directory = paths.dataDirectory
  const spools = copiesOf(shape).map(({ stream, site }) => spoolOf({ directory }, stream, site))
  const first = new Map(spools.map((spool) => [dirname(spool), spool]))
  for (const spool of first.values()) await mountSpoolDisk(paths, spool)
}

/** As an operator does it, on the gateway of the copy: the lab shows the real command at work. */
async function attachThroughRelay(
  options: LabUpOptions,
  gateways: readonly GatewayRecord[],
  { stream, site }: LabCopy,
): Promise<void> {
  const config = gateways.find((gateway) => gateway.site === site)?.config ?? ''
  await runCommand(
    [
      ...onHost(options.paths, `${site}-gw`),
      ...landbridgeArgv('replica', 'attach', '--config', config, '--stream', stream),
    ],
    { signal: options.signal },
  )
}

/** The replicas' networks have no way to the others: more wires, for this kind of lab only. */
async function attachDirectly(
  { paths, shape }: LabUpOptions,
  databases: Databases,
  logins: Logins,
): Promise<void> {
  for (const [number, pair] of pairsOf(shape.sites).entries()) {
    await addDirectWire(paths, pair, number)
  }
  for (const { stream, site } of copiesOf(shape)) {
    const source = databases[databaseName(shape, stream, originOf(shape, stream))]
    const replica = databases[databaseName(shape, stream, site)]
    if (source === undefined || replica === undefined) throw new TypeError('all have been started')
    await attachReplica(replica, { host: source.bindAddress, port: source.port }, logins.relay)
  }
}
