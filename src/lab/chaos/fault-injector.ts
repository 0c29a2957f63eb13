import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { LandbridgeError } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { onHost } from '../hosts/namespaces.ts'
import { fillSpoolDisk, freeSpoolDisk } from '../hosts/spool-disk.ts'
import { changeWan, killLabProcess, startLabProcess } from '../lab-control.ts'
import type { LabPaths } from '../lab-paths.ts'
import { readPassword } from '../lab-secrets.ts'
import {
  type DatabaseName,
  databasesOf,
  gatewayName,
  type ProcessName,
  relayPort,
} from '../lab-shape.ts'
import { addressesOf, SITES, type SiteName } from '../lab-sites.ts'
import {
  type GatewayRecord,
  gatewayOf,
  type LabState,
  requireState,
  sourceOf,
  spoolOf,
} from '../lab-state.ts'
import { withRoot } from '../servers/lab-databases.ts'
import { pidStartTicks, signalProcess, waitForExit } from '../servers/process-identity.ts'
import type { ServerRecord } from '../servers/server-options.ts'
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

type Action<Kind extends FaultAction['kind']> = Extract<FaultAction, { kind: Kind }>

/** Does to a lab what a Fault says, and undoes it. */
export class FaultInjector {
  readonly #options: FaultInjectorOptions
  readonly #open = new Set<Heal>()
  /** By source. */
  readonly #floods = new Map<DatabaseName, GtidFlood>()

  constructor(options: FaultInjectorOptions) {
    this.#options = options
  }

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
        return this.#changeWan(action)
      case 'flush-logs':
      case 'many-files':
        return this.#flushLogs(action)
      case 'huge-gtid-set':
        return this.#floodGtids(action)
      case 'dump-kill':
        return this.#killDumps(action)
      case 'disk-full':
        return this.#fillDisk(action)
      case 'clock-step':
        return this.#stepClock(this.#gateway(action.site), action.stepMs)
      case 'replica-stop':
        return this.#stopReplica(action)
      case 'twin-replica':
        return this.#twin(action)
      case 'link-flap':
        return this.#flap(action)
      case 'second-gateway':
        return startSecondGateway({
          paths: this.#options.paths,
          state: this.#options.state,
          site: action.site,
          sameData: action.sameData,
        })
      case 'certificate':
        return this.#spoil(action)
    }
  }

  #gateway(site: SiteName): GatewayRecord {
    return gatewayOf(this.#options.state, site)
  }

  #database(name: DatabaseName): ServerRecord {
    const database = this.#options.state.databases[name]
    if (database === undefined) throw new TypeError(`a lab for chaos has a ${name}`)
    return database
  }

  async #changeWan({ change, between }: Action<'wan'>): Promise<Heal> {
    const { paths, wan } = this.#options
    await changeWan(paths, change, between)
    return async () => void (await changeWan(paths, wan, between))
  }

  /** All spools of a site share its disk. */
  async #fillDisk({ site, freeBytes }: Action<'disk-full'>): Promise<Heal> {
    const { state } = this.#options
    const stream = state.streams.find(({ origin }) => origin !== site)?.name ?? 'main'
    const spool = spoolOf(state, stream, site)
    await fillSpoolDisk(spool, freeBytes)
    return () => freeSpoolDisk(spool)
  }

  async #floodGtids({ at, parts }: Action<'huge-gtid-set'>): Promise<Heal> {
    const flood = this.#floods.get(at) ?? createGtidFlood(this.#options.flavor)
    this.#floods.set(at, flood)
    await flood(this.#database(at).socket, parts)
    return async () => undefined
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
    const site = SITES.find((one) => target === `${one}-wireguard`)
    if (site === undefined) throw new TypeError(`${target} is no wireguard-go`)
    const gateway = this.#gateway(site)
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

  async #flushLogs({ at, times }: Action<'flush-logs' | 'many-files'>): Promise<Heal> {
    await withRoot(this.#database(at), async (connection) => {
      for (let time = 0; time < times; time += 1) await connection.query('FLUSH BINARY LOGS')
    })
    return async () => undefined
  }

  /** A transaction of some size is on its way each time. */
  async #killDumps({ at, times, bytes }: Action<'dump-kill'>): Promise<Heal> {
    await withRoot(this.#database(at), async (connection) => {
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

  async #stopReplica({ at }: Action<'replica-stop'>): Promise<Heal> {
    const replica = this.#database(at)
    const word = replica.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
    await withRoot(replica, async (connection) => void (await connection.query(`STOP ${word}`)))
    return () => startReplication(replica)
  }

  async #twin({ at: name, site }: Action<'twin-replica'>): Promise<Heal> {
    const { paths, flavor, state } = this.#options
    const login = state.logins.relay
    const replica = this.#database(name)
    const stream = databasesOf(state).find((one) => one.name === name)?.stream
    if (login === undefined || stream === undefined) {
      throw new TypeError('a lab for chaos has logins and streams')
    }
    const { gtids } = await readSourcePosition(flavor, sourceOf(state, stream).socket)
    const stopping = new AbortController()
    const { serverId } = replica
    const identity = { flavor, serverId, serverUuid: await serverUuidOf(replica) }
    const relay = { host: addressesOf(site).gateway, port: relayPort(stream) }
    const reader = { ...identity, ...relay, user: login.user, gtids }
    const password = readPassword(login)
    const host = onHost(paths, `${site}-db`)
    const twin = runTwin(host, { ...reader, password }, stopping.signal)
    // Whatever it fails with is reported by the heal.
    twin.catch(() => undefined)
    return async () => {
      stopping.abort()
      await twin
      // A replica that is thrown out for its twin stops for good: somebody starts it again.
      await startReplication(replica)
    }
  }

  async #flap({ site, openMs }: Action<'link-flap'>): Promise<Heal> {
    const stopping = new AbortController()
    const flapping = flapLink(this.#options.paths, site, openMs, stopping.signal)
    // Whatever it fails with is reported by the heal.
    flapping.catch(() => undefined)
    return async () => {
      stopping.abort()
      await flapping
    }
  }

  async #spoil(action: Action<'certificate'>): Promise<Heal> {
    const { paths } = this.#options
    const gateway = this.#gateway(action.site)
    const restore = await spoilCertificate(paths, gateway, action.flaw)
    const name = gatewayName(action.site)
    await restartGateway(paths, name)
    return async () => {
      await restore()
      await restartGateway(paths, name)
    }
  }
}

function isWireguard(target: Target): target is Exclude<Target, ProcessName> {
  return target.endsWith('-wireguard')
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
