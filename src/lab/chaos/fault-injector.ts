import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { onHost } from '../hosts/namespaces.ts'
import { fillSpoolDisk, freeSpoolDisk } from '../hosts/spool-disk.ts'
import { changeWan, killLabProcess, startLabProcess } from '../lab-control.ts'
import { ADDRESSES, type LabPaths, PORTS } from '../lab-paths.ts'
import { readPassword } from '../lab-secrets.ts'
import { type GatewayRecord, type LabState, type ProcessName, requireState } from '../lab-state.ts'
import { withRoot } from '../servers/lab-databases.ts'
import { pidStartTicks, signalProcess, waitForExit } from '../servers/process-identity.ts'
import type { WanSettings } from '../wan/wan-settings.ts'
import { spoilCertificate } from './certificate-fault.ts'
import type { FaultAction, Target } from './fault.ts'
import { createGtidFlood, type GtidFlood } from './gtid-flood.ts'
import { LEDGER_SCHEMA } from './ledger-statements.ts'
import { flapLink } from './link-flap.ts'
import { startSecondGateway } from './second-gateway.ts'
import { readSourcePosition } from './source-position.ts'
import { runTwin } from './twin-replica.ts'

export interface FaultInjectorOptions {
  readonly paths: LabPaths
  readonly flavor: Flavor
  /** What the WAN is when nothing is wrong with it. */
  readonly wan: WanSettings
  /** As the lab was built; pids are read anew each time. */
  readonly state: LabState
}

/** Puts right what was done. Does nothing the second time. */
export type Heal = () => Promise<void>

const KILL_PAUSE_MS = 150
const SHUTDOWN_MS_MAX = 60_000

/** Does to a lab what a Fault says, and undoes it. */
export class FaultInjector {
  readonly #options: FaultInjectorOptions
  readonly #open = new Set<Heal>()
  readonly #floodGtids: GtidFlood

  constructor(options: FaultInjectorOptions) {
    this.#options = options
    this.#floodGtids = createGtidFlood(options.flavor)
  }

  /** `holdMs`: how long it will last, for faults that act meanwhile. */
  async inject(action: FaultAction): Promise<Heal> {
    const undo = await this.#do(action)
    const heal: Heal = async () => {
      if (!this.#open.delete(heal)) return
      await undo()
    }
    this.#open.add(heal)
    return heal
  }

  /** Heals all that is not healed yet, the last first. */
  async healAll(): Promise<void> {
    for (const heal of [...this.#open].reverse()) await heal()
  }

  async #do(action: FaultAction): Promise<Heal> {
    switch (action.kind) {
      case 'kill':
        return this.#end(action.target, 'SIGKILL')
      case 'restart':
        return this.#end(action.target, 'SIGTERM')
      case 'stop':
        return this.#stop(action.target)
      case 'wan':
        await changeWan(this.#options.paths, action.change)
        return async () => void (await changeWan(this.#options.paths, this.#options.wan))
      case 'flush-logs':
        return this.#flushLogs(action.times)
      case 'many-files':
        return this.#flushLogs(action.times)
      case 'huge-gtid-set':
        await this.#floodGtids(this.#database('source').socket, action.parts)
        return async () => undefined
      case 'dump-kill':
        return this.#killDumps(action.times, action.bytes)
      case 'disk-full':
        await fillSpoolDisk(this.#options.state.spoolDirectory, action.freeBytes)
        return () => freeSpoolDisk(this.#options.state.spoolDirectory)
      case 'clock-step':
        return this.#stepClock(this.#gateway(action.site), action.stepMs)
      case 'replica-stop':
        return this.#stopReplica()
      case 'twin-replica':
        return this.#twin()
      case 'link-flap':
        return this.#flap(action.openMs)
      case 'second-gateway':
        return startSecondGateway({
          paths: this.#options.paths,
          gateway: this.#gateway('dr'),
          spoolDirectory: this.#options.state.spoolDirectory,
          sameData: action.sameData,
        })
      case 'certificate':
        return this.#spoil(action)
    }
  }

  #gateway(site: 'production' | 'dr'): GatewayRecord {
    const gateway = this.#options.state.gateways?.[site]
    if (gateway === undefined) throw new TypeError('a lab for chaos has gateways')
    return gateway
  }

  #database(name: 'source' | 'replica') {
    const database = this.#options.state.databases[name]
    if (database === undefined) throw new TypeError('a lab for chaos has databases')
    return database
  }

  async #end(target: Target, signal: 'SIGKILL' | 'SIGTERM'): Promise<Heal> {
    const { paths } = this.#options
    if (isWireguard(target)) {
      const { pid, startTicks } = await this.#wireguard(target)
      signalProcess(pid, startTicks, signal)
      await waitForExit(pid, startTicks, 5_000)
      // Its gateway starts it again, without anybody's help.
      return async () => undefined
    }
    const { pid, startTicks } = await this.#process(target)
    await killLabProcess(paths, target, signal)
    return async () => {
      // A server takes its time to shut down, and one that still runs would not be started.
      if (!(await waitForExit(pid, startTicks, SHUTDOWN_MS_MAX))) {
        signalProcess(pid, startTicks, 'SIGKILL')
        await waitForExit(pid, startTicks)
      }
      await startLabProcess(paths, target)
    }
  }

  async #stop(target: Target): Promise<Heal> {
    const { pid, startTicks } = await this.#process(target)
    signalProcess(pid, startTicks, 'SIGSTOP')
    return async () => void signalProcess(pid, startTicks, 'SIGCONT')
  }

  async #process(target: Target): Promise<{ readonly pid: number; readonly startTicks: string }> {
    if (isWireguard(target)) return this.#wireguard(target)
    const record = (await requireState(this.#options.paths)).processes[target]
    if (record === undefined) throw new TypeError(`a lab for chaos has a ${target}`)
    return { pid: record.pid, startTicks: record.pidStartTicks }
  }

  /** The gateway notes on disk which process it started. */
  async #wireguard(target: Target): Promise<{ readonly pid: number; readonly startTicks: string }> {
    const gateway = this.#gateway(target === 'prod-wireguard' ? 'production' : 'dr')
    const { dataDirectory } = this.#options.paths
    const note = join(dataDirectory, gateway.name, `tunnel-${gateway.interface}.json`)
    try {
      const { pid }: { pid: number } = JSON.parse(await readFile(note, 'utf8'))
      const startTicks = pidStartTicks(pid)
      if (startTicks !== undefined) return { pid, startTicks }
    } catch {
      // It is being started again this very moment.
    }
    throw new LandbridgeError('ERR_LAB_PROCESS', `${target} is not running`)
  }

  async #flushLogs(times: number): Promise<Heal> {
    await withRoot(this.#database('source'), async (connection) => {
      for (let time = 0; time < times; time += 1) await connection.query('FLUSH BINARY LOGS')
    })
    return async () => undefined
  }

  /** A transaction of some size is on its way each time. */
  async #killDumps(times: number, bytes: number): Promise<Heal> {
    await withRoot(this.#database('source'), async (connection) => {
      for (let time = 0; time < times; time += 1) {
        const rows = Math.max(1, Math.round(bytes / (512 * 1024)))
        const row = `(REPEAT('0123456789abcdef', ${Math.ceil(bytes / rows / 16)}))`
        const text = Array.from({ length: rows }, () => row).join()
        await connection.query(`INSERT INTO ${LEDGER_SCHEMA}.bulk (bytes) VALUES ${text}`)
        await killDumpThreads(connection)
        await sleep(KILL_PAUSE_MS)
      }
      await connection.query(`DELETE FROM ${LEDGER_SCHEMA}.bulk`)
    })
    return async () => undefined
  }

  async #stepClock({ clockFile }: GatewayRecord, stepMs: number): Promise<Heal> {
    if (clockFile === undefined) throw new TypeError('a lab for chaos has clocks')
    await writeFile(clockFile, String(stepMs))
    return () => writeFile(clockFile, '0')
  }

  async #stopReplica(): Promise<Heal> {
    const replica = this.#database('replica')
    const word = replica.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
    await withRoot(replica, async (connection) => void (await connection.query(`STOP ${word}`)))
    return () => startReplication(replica)
  }

  async #twin(): Promise<Heal> {
    const { paths, flavor, state } = this.#options
    const login = state.logins.relay
    const replica = this.#database('replica')
    if (login === undefined) throw new TypeError('a lab for chaos has logins')
    const { gtids } = await readSourcePosition(flavor, this.#database('source').socket)
    const stopping = new AbortController()
    const { serverId } = replica
    const identity = { flavor, serverId, serverUuid: await serverUuidOf(replica) }
    const at = { host: ADDRESSES.drGw, port: PORTS.relay, user: login.user, gtids }
    const reader = { ...identity, ...at, password: readPassword(login) }
    const twin = runTwin(onHost(paths, 'dr-db'), reader, stopping.signal)
    // Whatever it fails with is reported by the heal.
    twin.catch(() => undefined)
    return async () => {
      stopping.abort()
      await twin
      // A replica that is thrown out for its twin stops for good: somebody starts it again.
      await startReplication(replica)
    }
  }

  async #flap(openMs: number): Promise<Heal> {
    const stopping = new AbortController()
    const flapping = flapLink(this.#options.paths, openMs, stopping.signal)
    // Whatever it fails with is reported by the heal.
    flapping.catch(() => undefined)
    return async () => {
      stopping.abort()
      await flapping
    }
  }

  async #spoil(action: Extract<FaultAction, { kind: 'certificate' }>): Promise<Heal> {
    const { paths } = this.#options
    const gateway = this.#gateway(action.site)
    const restore = await spoilCertificate(paths, gateway, action.flaw)
    const name = action.site === 'production' ? 'prod-gateway' : 'dr-gateway'
    await restartGateway(paths, name)
    return async () => {
      await restore()
      await restartGateway(paths, name)
    }
  }
}

function isWireguard(target: Target): target is 'prod-wireguard' | 'dr-wireguard' {
  return target === 'prod-wireguard' || target === 'dr-wireguard'
}

async function restartGateway(paths: LabPaths, name: ProcessName): Promise<void> {
  // With a certificate that it refuses itself it has ended already.
  await killLabProcess(paths, name, 'SIGTERM').catch(() => undefined)
  await startLabProcess(paths, name)
}

async function killDumpThreads(connection: Connection): Promise<void> {
  const [rows] = await connection.query<RowDataPacket[]>('SHOW PROCESSLIST')
  for (const { Id, Command } of rows) {
    // One that has just ended by itself is as good.
    if (String(Command).startsWith('Binlog Dump')) {
      await connection.query(`KILL ${Number(Id)}`).catch(() => undefined)
    }
  }
}

async function serverUuidOf(replica: {
  readonly flavor: Flavor
  readonly socket: string
}): Promise<string> {
  // MariaDB has none; its replicas are told apart by server id.
  if (replica.flavor === 'mariadb') return ''
  return withRoot(replica, async (connection) => {
    const [[row]] = await connection.query<RowDataPacket[]>('SELECT @@server_uuid AS uuid')
    return String(row?.uuid)
  })
}

async function startReplication(replica: {
  readonly flavor: Flavor
  readonly socket: string
}): Promise<void> {
  const word = replica.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
  await withRoot(replica, async (connection) => void (await connection.query(`START ${word}`)))
}
