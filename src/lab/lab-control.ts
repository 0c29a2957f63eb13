import { LandbridgeError } from '../base/errors.ts'
import { isRunning, type ProcessRecord } from './hosts/lab-process.ts'
import { onHost } from './hosts/namespaces.ts'
import { startGateway } from './lab-gateways.ts'
import { withLabLock } from './lab-lock.ts'
import type { LabPaths } from './lab-paths.ts'
import { databasesOf, gatewayName, type ProcessName } from './lab-shape.ts'
import type { SiteName } from './lab-sites.ts'
import { type LabState, processNames, requireState, updateState } from './lab-state.ts'
import { serverProcess, startDatabase } from './servers/lab-databases.ts'
import { signalProcess, waitForExit } from './servers/process-identity.ts'
import { startWan } from './wan/lab-wan.ts'
import { requestWan } from './wan/wan.ts'
import { closeKernelPath } from './wan/wan-kernel-path.ts'
import type { WanReport } from './wan/wan-relay.ts'
import type { WanSettings } from './wan/wan-settings.ts'

const LOCK_WAIT_MS = 10_000

/** Starts a process of a lab again; one that runs is left alone. Returns what runs then. */
export async function startLabProcess(
  paths: LabPaths,
  name: ProcessName,
  options: { readonly locked?: boolean } = {},
): Promise<{ readonly record: ProcessRecord; readonly already: boolean }> {
  const start = async () => {
    const state = await requireState(paths)
    requireProcess(state, name)
    const running = state.processes[name]
    if (running !== undefined && isRunning(running)) return { record: running, already: true }
    const { record, change } = await startAgain(paths, state, name)
    await updateState(paths, (now) => ({
      ...now,
      ...change,
      processes: { ...now.processes, [name]: record },
    }))
    return { record, already: false }
  }
  return options.locked === true ? start() : withLabLock(paths, start, { waitMs: LOCK_WAIT_MS })
}

function requireProcess(state: LabState, name: ProcessName): void {
  if (processNames(state).includes(name)) return
  throw new LandbridgeError('ERR_USAGE', `the lab ${state.name} was made without ${name}`)
}

async function startAgain(
  paths: LabPaths,
  state: LabState,
  name: ProcessName,
): Promise<{ readonly record: ProcessRecord; readonly change: Partial<LabState> }> {
  if (name === 'wan') return { record: await startWan(paths, state.wan.pairs), change: {} }
  const database = databasesOf(state).find((one) => one.name === name)
  if (database !== undefined) {
    const server = await startDatabase(paths, state.flavor, database)
    const databases = { ...state.databases, [name]: server }
    return { record: serverProcess(server), change: { databases } }
  }
  const gateway = state.gateways.find(({ site }) => gatewayName(site) === name)
  if (gateway === undefined) throw new TypeError('checked by requireProcess')
  return { record: await startGateway(paths, gateway), change: {} }
}

/** Which processes `lab kill NAME` means: one by its own name, or what belongs to a host. */
export function processesNamed(
  state: Pick<LabState, 'name' | 'sites' | 'streams' | 'gateways'>,
  name: string,
): readonly ProcessName[] {
  const all = processNames(state)
  const known = all.find((one) => one === name)
  if (known !== undefined) return [known]
  const ofHost = all.filter((process) => hostOf(process) === name)
  if (ofHost.length > 0) return ofHost
  throw new LandbridgeError(
    'ERR_USAGE',
    `${name} is neither a process (${all.join(', ')}) nor a host of the lab ${state.name}`,
  )
}

function hostOf(process: ProcessName): string {
  return process.replace(/-gateway$/, '-gw').replace(/-db-.*$/, '-db')
}

/** Sends the signal; with one that ends a process, waits (bounded) until it has. */
export async function killLabProcess(
  paths: LabPaths,
  name: ProcessName,
  signal: NodeJS.Signals,
): Promise<{ readonly pid: number; readonly ended: boolean }> {
  const state = await requireState(paths)
  requireProcess(state, name)
  const record = state.processes[name]
  if (record === undefined || !signalProcess(record.pid, record.pidStartTicks, signal)) {
    throw new LandbridgeError(
      'ERR_LAB_PROCESS',
      `${name} of the lab ${paths.name} is not running`,
      {
        remedy: `landbridge lab start ${name} --name ${paths.name}`,
      },
    )
  }
  const ends = signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT'
  const ended = ends && (await waitForExit(record.pid, record.pidStartTicks, 10_000))
  // A WAN that was killed cannot take back what it told the kernel.
  if (name === 'wan' && ended) await closeKernelPath(onHost(paths, 'wan'))
  return { pid: record.pid, ended }
}

/**
 * Changes the WAN between two sites, or between all, and remembers it for a WAN process that is
 * started again.
 */
export async function changeWan(
  paths: LabPaths,
  changes: Partial<WanSettings>,
  between: readonly [SiteName, SiteName] | null = null,
): Promise<WanReport> {
  const { wan } = await requireState(paths)
  const isThere = wan.pairs.some((pair) => between?.every((site) => pair.between.includes(site)))
  if (between !== null && !isThere) {
    throw new LandbridgeError('ERR_USAGE', `the lab has nothing between ${between.join(' and ')}`)
  }
  if (Object.keys(changes).length === 0) return requestWan(paths.wanSocket, {}, between)
  return withLabLock(
    paths,
    async () => {
      const report = await requestWan(paths.wanSocket, changes, between)
      await updateState(paths, (state) => ({ ...state, wan: wanNow(state, report) }))
      return report
    },
    { waitMs: LOCK_WAIT_MS },
  )
}

export function wanNow({ wan }: LabState, { pairs }: WanReport): LabState['wan'] {
  return { ...wan, pairs: pairs.map(({ between, settings }) => ({ between, settings })) }
}
