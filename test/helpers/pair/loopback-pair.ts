import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseDocument, stringify } from 'yaml'
import { callOperation, fetchStatus } from '../../../src/api/admin-client.ts'
import { setUpSites } from '../../../src/provision/sites-setup.ts'
import type { GatewayStatus } from '../../../src/status/status.ts'
import { freePort } from '../free-port.ts'
import { changeGateways, sitesPlan } from './pair-folder.ts'

/** By the roles of the first term: the names of the sites are in NAMES. */
export type Site = 'production' | 'dr'

export interface LoopbackPairOptions {
  readonly source: { readonly port: number; readonly user: string; readonly password: string }
  readonly replica?: { readonly port: number; readonly user: string; readonly password: string }
  /** Further keys of the link section at both ends. */
  readonly link?: Record<string, unknown>
  readonly throttle?: Record<string, unknown>
  /** At both sites. */
  readonly spool?: Record<string, unknown>
}

export const NAMES = { production: 'ec2', dr: 'azure' } as const
const ADDRESSES = { production: '127.0.0.1', dr: '127.0.0.2' } as const
const LANDBRIDGE = fileURLToPath(new URL('../../../src/cli/landbridge.mjs', import.meta.url))
const RELAY_PASSWORD = 'relay-secret'

/** Two real gateways on the loopback, `tunnel: external`, each a process of its own. */
export class LoopbackPair implements AsyncDisposable {
  readonly directory: string
  /** Of the DR gateway. */
  readonly relayPort: number
  /** Of the production gateway, for the times when that is a copy. */
  readonly productionRelayPort: number
  readonly linkPort: number
  readonly relayPassword = RELAY_PASSWORD
  readonly #processes = new Map<Site, ChildProcess>()
  #spools = 1

  private constructor(
    directory: string,
    ports: Pick<LoopbackPair, 'relayPort' | 'productionRelayPort' | 'linkPort'>,
  ) {
    this.directory = directory
    this.relayPort = ports.relayPort
    this.productionRelayPort = ports.productionRelayPort
    this.linkPort = ports.linkPort
  }

  static async create(options: LoopbackPairOptions): Promise<LoopbackPair> {
    const directory = await mkdtemp(join(tmpdir(), 'lbpair-'))
    const [linkPort, relayPort, productionRelayPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
    ]
    const plan = sitesPlan(directory, { externalTunnel: true, linkPort })
    await setUpSites(
      changeGateways(plan, {
        ec2: { tunnelAddress: { address: ADDRESSES.production, prefixLength: 8 } },
        azure: { tunnelAddress: { address: ADDRESSES.dr, prefixLength: 8 } },
      }),
    )
    const pair = new LoopbackPair(directory, { linkPort, relayPort, productionRelayPort })
    const { source, replica } = options
    await writeFile(join(directory, 'relay.password'), RELAY_PASSWORD, { mode: 0o600 })
    await pair.#write('production', options, { relayPort: productionRelayPort, server: source })
    await pair.#write('dr', options, { relayPort, server: replica })
    return pair
  }

  async #write(
    site: Site,
    options: LoopbackPairOptions,
    own: { readonly relayPort: number; readonly server: LoopbackPairOptions['replica'] },
  ): Promise<void> {
    const name = NAMES[site]
    const { server } = own
    const password = `${site}.password`
    if (server !== undefined) {
      await writeFile(join(this.directory, password), server.password, { mode: 0o600 })
    }
    const stream = {
      name: 'main',
      origin: NAMES.production,
      ...(server && { database: database(server, `../${password}`) }),
      ...(options.throttle && { throttle: options.throttle }),
      spool: { directory: 'spool/main', ...options.spool },
      relay: {
        listen: `127.0.0.1:${own.relayPort}`,
        user: 'replica',
        passwordFile: '../relay.password',
      },
    }
    await mkdir(join(this.directory, 'gateway'), { recursive: true })
    const config = {
      name,
      site: name,
      dataDir: `../data/${name}`,
      peers: [NAMES[site === 'dr' ? 'production' : 'dr']],
      identity: {
        wireguardKey: `../certs/${name}/wireguard.key`,
        certificate: `../certs/${name}/gateway.crt`,
        privateKey: `../certs/${name}/gateway.key`,
        authority: '../certs/ca.crt',
      },
      tunnel: 'external',
      ...(options.link && { link: options.link }),
      streams: [stream],
      admin: { socket: `../${name}.sock` },
      log: { level: 'info' },
    }
    await writeFile(this.configPath(site), stringify(config))
  }

  /** Where the DR gateway remembers its spool; without this a lost one begins anew. */
  get spoolMemoryPath(): string {
    return join(this.directory, 'data', NAMES.dr, 'spool-main.json')
  }

  /** As an operator would: another source in the production gateway's config, read at start. */
  async pointSourceAt(port: number): Promise<void> {
    const path = this.configPath('production')
    const config = parseDocument(await readFile(path, 'utf8'))
    config.setIn(['streams', 0, 'database', 'port'], port)
    await writeFile(path, config.toString())
  }

  /** As an operator would: a spool directory that does not exist yet. It is read at start. */
  async renewSpool(): Promise<void> {
    this.#spools += 1
    const path = this.configPath('dr')
    const config = parseDocument(await readFile(path, 'utf8'))
    config.setIn(['streams', 0, 'spool', 'directory'], this.#spoolName)
    await writeFile(path, config.toString())
  }

  /** Runs a `landbridge` command with a gateway's config to its end. */
  async command(
    site: Site,
    ...words: readonly string[]
  ): Promise<{ readonly exitCode: number; readonly stdout: string }> {
    const argv = [LANDBRIDGE, ...words, '--config', this.configPath(site)]
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number; stdout: string }>()
    const child = execFile(process.execPath, argv, (_error, stdout) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout })
    })
    return await promise
  }

  configPath(site: Site): string {
    return join(this.directory, 'gateway', `${NAMES[site]}.yaml`)
  }

  /** Of the DR gateway. */
  get spoolDirectory(): string {
    return join(this.directory, 'data', NAMES.dr, this.#spoolName)
  }

  /** Of the production gateway, for the times when that is a copy. */
  get productionSpoolDirectory(): string {
    return join(this.directory, 'data', NAMES.production, 'spool/main')
  }

  /** Asks a gateway for one of its operations that change something. */
  async operate<Output>(site: Site, name: string, input: object): Promise<Output> {
    const signal = AbortSignal.timeout(60_000)
    const operation = { name, permission: 'recover' } as const
    return await callOperation<Output>(this.socketPath(site), operation, input, { signal })
  }

  get #spoolName(): string {
    return this.#spools === 1 ? 'spool/main' : `spool/main-${this.#spools}`
  }

  pid(site: Site): number {
    const pid = this.#processes.get(site)?.pid
    if (pid === undefined) throw new Error(`the ${site} gateway does not run`)
    return pid
  }

  /** `openFilesMax`: as `ulimit -n` sets it. */
  async start(site: Site, { openFilesMax }: { openFilesMax?: number } = {}): Promise<void> {
    const log = await open(join(this.directory, `${NAMES[site]}.log`), 'a')
    const limited = openFilesMax === undefined ? [] : ['prlimit', `--nofile=${openFilesMax}`]
    const gateway = [process.execPath, LANDBRIDGE, 'run', '--config', this.configPath(site)]
    const [program = '', ...args] = [...limited, ...gateway]
    const child = spawn(program, args, { stdio: ['ignore', log.fd, log.fd] })
    await log.close()
    this.#processes.set(site, child)
  }

  async kill(site: Site, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#processes.get(site)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    this.#processes.delete(site)
  }

  /** Of the gateway's admin API. */
  socketPath(site: Site): string {
    return join(this.directory, `${NAMES[site]}.sock`)
  }

  /** Null while the gateway does not answer. */
  async status(site: Site): Promise<GatewayStatus | null> {
    return await fetchStatus(this.socketPath(site)).catch(() => null)
  }

  /** The body of `GET /metrics`. */
  async metrics(site: Site): Promise<string> {
    const headers = { connection: 'close' }
    const asked = request({ socketPath: this.socketPath(site), path: '/metrics', headers })
    const [response] = await once(asked.end(), 'response')
    return await text(response)
  }

  /** Polls until `accept` likes the status; throws with the last status after `limitMs`. */
  async until(
    site: Site,
    accept: (status: GatewayStatus) => boolean,
    { limitMs = 180_000, everyMs = 100 } = {},
  ): Promise<GatewayStatus> {
    const end = performance.now() + limitMs
    let last: GatewayStatus | null = null
    while (performance.now() < end) {
      last = await this.status(site)
      if (last !== null && accept(last)) return last
      await sleep(everyMs)
    }
    throw new Error(`not reached in ${limitMs} ms: ${JSON.stringify(last, null, 1)}`)
  }

  async stop(): Promise<void> {
    await Promise.all([this.kill('production', 'SIGTERM'), this.kill('dr', 'SIGTERM')])
    await rm(this.directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function database(login: { readonly port: number; readonly user: string }, passwordFile: string) {
  return {
    host: '127.0.0.1',
    port: login.port,
    user: login.user,
    passwordFile,
    tls: { mode: 'off' },
  }
}
