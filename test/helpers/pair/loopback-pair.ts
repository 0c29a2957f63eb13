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
import { fetchStatus } from '../../../src/api/admin-client.ts'
import { setUpPair } from '../../../src/provision/pair-setup.ts'
import type { GatewayStatus } from '../../../src/status/status.ts'
import { freePort } from '../free-port.ts'
import { pairPlan } from './pair-folder.ts'

export type Site = 'production' | 'dr'

export interface LoopbackPairOptions {
  readonly source: { readonly port: number; readonly user: string; readonly password: string }
  readonly replica?: { readonly port: number; readonly user: string; readonly password: string }
  /** Further keys of the link section at both ends. */
  readonly link?: Record<string, unknown>
  readonly throttle?: Record<string, unknown>
  readonly spool?: Record<string, unknown>
}

const NAMES = { production: 'ec2', dr: 'azure' } as const
const ADDRESSES = { production: '127.0.0.1', dr: '127.0.0.2' } as const
const LANDBRIDGE = fileURLToPath(new URL('../../../src/cli/landbridge.mjs', import.meta.url))
const RELAY_PASSWORD = 'relay-secret'

/** Two real gateways on the loopback, `tunnel: external`, each a process of its own. */
export class LoopbackPair implements AsyncDisposable {
  readonly directory: string
  readonly relayPort: number
  readonly linkPort: number
  readonly relayPassword = RELAY_PASSWORD
  readonly #processes = new Map<Site, ChildProcess>()
  #spools = 1

  private constructor(directory: string, relayPort: number, linkPort: number) {
    this.directory = directory
    this.relayPort = relayPort
    this.linkPort = linkPort
  }

  static async create(options: LoopbackPairOptions): Promise<LoopbackPair> {
    const directory = await mkdtemp(join(tmpdir(), 'lbpair-'))
    const plan = pairPlan(directory)
    const [linkPort, relayPort] = [await freePort(), await freePort()]
    await setUpPair({
      ...plan,
      externalTunnel: true,
      linkPort,
      production: {
        ...plan.production,
        tunnelAddress: { address: ADDRESSES.production, prefixLength: 8 },
      },
      dr: { ...plan.dr, tunnelAddress: { address: ADDRESSES.dr, prefixLength: 8 } },
    })
    const pair = new LoopbackPair(directory, relayPort, linkPort)
    const { source, replica } = options
    await writeFile(join(directory, 'source.password'), source.password, { mode: 0o600 })
    await writeFile(join(directory, 'relay.password'), RELAY_PASSWORD, { mode: 0o600 })
    await pair.#write('production', options, {
      name: 'main',
      source: database(source, '../source.password'),
      ...(options.throttle && { throttle: options.throttle }),
    })
    if (replica)
      await writeFile(join(directory, 'replica.password'), replica.password, { mode: 0o600 })
    await pair.#write('dr', options, {
      name: 'main',
      spool: { directory: 'spool/main', ...options.spool },
      relay: {
        listen: `127.0.0.1:${relayPort}`,
        user: 'replica',
        passwordFile: '../relay.password',
      },
      ...(replica && { replica: database(replica, '../replica.password') }),
    })
    return pair
  }

  async #write(site: Site, options: LoopbackPairOptions, stream: object): Promise<void> {
    const name = NAMES[site]
    await mkdir(join(this.directory, 'gateway'), { recursive: true })
    const config = {
      name,
      site,
      dataDir: `../data/${name}`,
      peers: '../peers',
      peer: NAMES[site === 'dr' ? 'production' : 'dr'],
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
    config.setIn(['streams', 0, 'source', 'port'], port)
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

  get spoolDirectory(): string {
    return join(this.directory, 'data', NAMES.dr, this.#spoolName)
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
