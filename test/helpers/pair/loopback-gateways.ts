import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { callOperation, fetchStatus } from '../../../src/api/admin-client.ts'
import { writeGatewaySettings } from '../../../src/provision/gateway-settings.ts'
import { setUpIdentities } from '../../../src/provision/identities-setup.ts'
import type { GatewayStatus } from '../../../src/status/status.ts'
import { freePort } from '../free-port.ts'
import { gatewayPlan, sitesPlan } from './pair-folder.ts'

export interface ServerLogin {
  readonly port: number
  readonly user: string
  readonly password: string
}

/** One stream, as every gateway has it. */
export interface LoopbackStream {
  readonly name: string
  readonly origin: string
  /** Of each site that has one, by its name. */
  readonly databases: Readonly<Record<string, ServerLogin>>
  readonly throttle?: Record<string, unknown>
  readonly spool?: Record<string, unknown>
}

export interface LoopbackSitesOptions {
  /** Names of the sites and their gateways. */
  readonly sites: readonly string[]
  readonly streams: readonly LoopbackStream[]
  /** Further keys of the link section at every gateway. */
  readonly link?: Record<string, unknown>
  /** Every gateway serves its web page on a port of its own. */
  readonly page?: boolean
}

const LANDBRIDGE = fileURLToPath(new URL('../../../src/cli/landbridge.mjs', import.meta.url))
const SHIFTED_CLOCK = new URL('../../../src/lab/chaos/shifted-clock.ts', import.meta.url).href
export const RELAY_PASSWORD = 'relay-secret'

export interface LoopbackPorts {
  readonly linkPort: number
  /** By site and stream: `azure main`. */
  readonly relayPorts: ReadonlyMap<string, number>
  /** By site. */
  readonly pagePorts: ReadonlyMap<string, number>
}

/** Where their links listen: site n has 127.0.0.n. */
export async function writeLoopbackSites(
  directory: string,
  { sites, streams, link, page = false }: LoopbackSitesOptions,
): Promise<LoopbackPorts> {
  const linkPort = await freePort()
  const gateways = sites.map((name, index) => {
    const tunnelAddress = { address: `127.0.0.${1 + index}`, prefixLength: 8 }
    return gatewayPlan(name, { tunnelAddress })
  })
  await setUpIdentities(sitesPlan(directory, { externalTunnel: true, linkPort, gateways }))
  await writeFile(join(directory, 'relay.password'), RELAY_PASSWORD, { mode: 0o600 })
  const relayPorts = new Map<string, number>()
  const pagePorts = new Map<string, number>()
  for (const site of sites) {
    const own: object[] = []
    for (const stream of streams) {
      const relayPort = await freePort()
      relayPorts.set(`${site} ${stream.name}`, relayPort)
      own.push(await streamSection(directory, site, stream, relayPort))
    }
    if (page) pagePorts.set(site, await freePort())
    await writeGatewaySettings(directory, {
      name: site,
      peers: sites.filter((other) => other !== site),
      dataDir: `../data/${site}`,
      sections: {
        tunnel: 'external',
        ...(link && { link }),
        ...(page && { page: { listen: `127.0.0.1:${pagePorts.get(site)}` } }),
        admin: { socket: `../${site}.sock` },
        log: { level: 'info' },
      },
      streams: own,
    })
  }
  return { linkPort, relayPorts, pagePorts }
}

async function streamSection(
  directory: string,
  site: string,
  { name, origin, databases, throttle, spool }: LoopbackStream,
  relayPort: number,
): Promise<object> {
  const login = databases[site]
  const password = `${site}-${name}.password`
  if (login !== undefined) {
    await writeFile(join(directory, password), login.password, { mode: 0o600 })
  }
  return {
    name,
    origin,
    ...(login && {
      database: {
        host: '127.0.0.1',
        port: login.port,
        user: login.user,
        passwordFile: `../${password}`,
        tls: { mode: 'off' },
      },
    }),
    ...(throttle && { throttle }),
    spool: { directory: `spool/${name}`, ...spool },
    relay: {
      listen: `127.0.0.1:${relayPort}`,
      user: 'replica',
      passwordFile: '../relay.password',
    },
  }
}

/** Real gateways of one folder, each a process of its own. `Key`: what a test calls them. */
export class LoopbackGateways<Key extends string = string> implements AsyncDisposable {
  readonly directory: string
  readonly #names: Readonly<Record<Key, string>>
  readonly #processes = new Map<Key, ChildProcess>()

  constructor(directory: string, names: Readonly<Record<Key, string>>) {
    this.directory = directory
    this.#names = names
  }

  /** Of the gateway, and of its site. */
  nameOf(key: Key): string {
    return this.#names[key]
  }

  configPath(key: Key): string {
    return join(this.directory, 'gateway', `${this.nameOf(key)}.yaml`)
  }

  /** Of the gateway's admin API. */
  socketPath(key: Key): string {
    return join(this.directory, `${this.nameOf(key)}.sock`)
  }

  logPath(key: Key): string {
    return join(this.directory, `${this.nameOf(key)}.log`)
  }

  dataDirectory(key: Key): string {
    return join(this.directory, 'data', this.nameOf(key))
  }

  pid(key: Key): number {
    const pid = this.#processes.get(key)?.pid
    if (pid === undefined) throw new Error(`the ${key} gateway does not run`)
    return pid
  }

  /** Runs a `landbridge` command with a gateway's config to its end. */
  async command(
    key: Key,
    ...words: readonly string[]
  ): Promise<{ readonly exitCode: number; readonly stdout: string }> {
    const argv = [LANDBRIDGE, ...words, '--config', this.configPath(key)]
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number; stdout: string }>()
    const child = execFile(process.execPath, argv, (_error, stdout) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout })
    })
    return await promise
  }

  /** Asks a gateway for one of its operations that change something. */
  async operate<Output>(key: Key, name: string, input: object): Promise<Output> {
    const signal = AbortSignal.timeout(60_000)
    const operation = { name, permission: 'recover' } as const
    return await callOperation<Output>(this.socketPath(key), operation, input, { signal })
  }

  /** `openFilesMax`: as `ulimit -n` sets it. `clockMs`: its wall clock is so much ahead. */
  async start(
    key: Key,
    { openFilesMax, clockMs }: { openFilesMax?: number; clockMs?: number } = {},
  ): Promise<void> {
    const log = await open(this.logPath(key), 'a')
    const limited = openFilesMax === undefined ? [] : ['prlimit', `--nofile=${openFilesMax}`]
    const gateway = [process.execPath, LANDBRIDGE, 'run', '--config', this.configPath(key)]
    const [program = '', ...args] = [...limited, ...gateway]
    const env = clockMs === undefined ? process.env : await this.#shifted(key, clockMs)
    const child = spawn(program, args, { stdio: ['ignore', log.fd, log.fd], env })
    await log.close()
    this.#processes.set(key, child)
  }

  async #shifted(key: Key, clockMs: number): Promise<NodeJS.ProcessEnv> {
    const file = join(this.directory, `${this.nameOf(key)}.clock`)
    await writeFile(file, String(clockMs))
    const options = `${process.env.NODE_OPTIONS ?? ''} --import ${SHIFTED_CLOCK}`
    return { ...process.env, NODE_OPTIONS: options, LANDBRIDGE_LAB_CLOCK: file }
  }

  async kill(key: Key, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#processes.get(key)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    this.#processes.delete(key)
  }

  /** Null while the gateway does not answer. */
  async status(key: Key): Promise<GatewayStatus | null> {
    return await fetchStatus(this.socketPath(key)).catch(() => null)
  }

  /** The body of `GET /metrics`. */
  async metrics(key: Key): Promise<string> {
    const headers = { connection: 'close' }
    const asked = request({ socketPath: this.socketPath(key), path: '/metrics', headers })
    const [response] = await once(asked.end(), 'response')
    return await text(response)
  }

  /** Polls until `accept` likes the status; throws with the last status after `limitMs`. */
  async until(
    key: Key,
    accept: (status: GatewayStatus) => boolean,
    { limitMs = 180_000, everyMs = 100 } = {},
  ): Promise<GatewayStatus> {
    const end = performance.now() + limitMs
    let last: GatewayStatus | null = null
    while (performance.now() < end) {
      last = await this.status(key)
      if (last !== null && accept(last)) return last
      await sleep(everyMs)
    }
    throw new Error(`not reached in ${limitMs} ms: ${JSON.stringify(last, null, 1)}`)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((key) => this.kill(key, 'SIGTERM')))
    await rm(this.directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
