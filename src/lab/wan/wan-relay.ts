import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { describeError, LandbridgeError } from '../../base/errors.ts'
import type { SiteName } from '../lab-sites.ts'
import { closeKernelPath, openKernelPath, readKernelPath, type WanSite } from './wan-kernel-path.ts'
import { WanPair, type WanPairReport } from './wan-pair.ts'
import type { WanPairSettings, WanSettings } from './wan-settings.ts'

/**
 * The WAN of a lab: a process of its own in the `wan` namespace, between all gateways. While
 * nothing is impaired between two sites the kernel passes their packets (see wan-kernel-path.ts);
 * as soon as something is, they come here. Controlled by JSON lines on a Unix socket:
 * `{"set": {...}, "between": ["ec2", "azure"]}`, both of which may be missing, each answered by one
 * WanReport. Runs as `node wan-relay.ts '<WanRelayOptions as JSON>'`.
 */
export interface WanRelayOptions {
  readonly controlSocket: string
  /** The UDP port that is carried: the same at all sites. */
  readonly port: number
  readonly sites: readonly WanSite[]
  readonly pairs: readonly WanPairSettings[]
}

export interface WanReport {
  readonly pairs: readonly WanPairReport[]
}

interface Request {
  readonly set?: Partial<WanSettings>
  readonly between?: readonly [SiteName, SiteName] | null
}

const BUFFER_BYTES = 4 * 1024 * 1024

export class WanRelay {
  readonly #options: WanRelayOptions
  readonly #pairs: readonly WanPair[]
  /** By site: what is sent to its public address arrives here, and what it sends leaves here. */
  readonly #sockets = new Map<SiteName, UdpSocket>()
  /** Those that the kernel passes packets for. */
  #byKernel: readonly WanPair[] = []
  /** One change of the kernel's path at a time. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(options: WanRelayOptions) {
    this.#options = options
    this.#pairs = options.pairs.map(({ between: [a, b], settings }) => {
      const sites = [this.#site(a), this.#site(b)] as const
      return new WanPair({ sites, settings, send: (...packet) => this.#send(...packet) })
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { sites, port, controlSocket } = this.#options
    for (const site of sites) {
      const socket = await bind(site.publicAddress, port)
      this.#sockets.set(site.site, socket)
      socket.on('message', (packet, { address }) => this.#take(packet, address, site))
    }
    await closeKernelPath()
    await this.#apply({})
    const control = await this.#listen(controlSocket)
    try {
      if (!signal.aborted) await once(signal, 'abort')
    } finally {
      for (const pair of this.#pairs) pair.stop()
      control.close()
      await this.#changing
      await closeKernelPath()
      for (const socket of this.#sockets.values()) socket.close()
      await rm(controlSocket, { force: true })
    }
  }

  #site(name: SiteName): WanSite {
    const found = this.#options.sites.find(({ site }) => site === name)
    if (found === undefined) throw new TypeError(`a pair with ${name}, which is no site`)
    return found
  }

  /** Only gateways are known here; what anything else sends goes nowhere. */
  #take(packet: Buffer, fromAddress: string, to: WanSite): void {
    const from = this.#options.sites.find(({ gatewayAddress }) => gatewayAddress === fromAddress)
    if (from === undefined) return
    this.#pairs.find((pair) => pair.isBetween(from.site, to.site))?.take(packet, from)
  }

  #send(packet: Buffer, from: WanSite, to: WanSite): void {
    const socket = this.#sockets.get(from.site)
    // The gateway's port may be closed for the moment; UDP does not tell and nobody is to care.
    socket?.send(packet, this.#options.port, to.gatewayAddress, () => undefined)
  }

  async #apply({ set = {}, between = null }: Request): Promise<WanReport> {
    const applied = this.#changing.then(async () => {
      const chosen = this.#pairs.filter((pair) => between === null || pair.isBetween(...between))
      if (chosen.length === 0) {
        throw new LandbridgeError('ERR_USAGE', `there is nothing between ${between?.join(' and ')}`)
      }
      for (const pair of chosen) pair.update(set)
      await this.#choosePaths()
      return this.#report()
    })
    this.#changing = applied.catch(() => undefined)
    return applied
  }

  async #choosePaths(): Promise<void> {
    const wanted = this.#pairs.filter((pair) => pair.isClear)
    const before = this.#byKernel
    if (wanted.length === before.length && wanted.every((pair) => before.includes(pair))) return
    const kernel = await readKernelPath()
    for (const pair of before) pair.count(kernel)
    this.#byKernel = []
    if (wanted.length === 0) return closeKernelPath()
    const sites = wanted.map((pair) => pair.sites)
    if (await openKernelPath(this.#options.port, sites)) this.#byKernel = wanted
    else await closeKernelPath()
  }

  async #report(): Promise<WanReport> {
    const kernel = this.#byKernel.length === 0 ? null : await readKernelPath()
    const pairs = this.#pairs.map((pair) =>
      pair.report(this.#byKernel.includes(pair) ? kernel : null),
    )
    return { pairs }
  }

  async #listen(path: string): Promise<Server> {
    await rm(path, { force: true })
    const server = createServer((socket) => this.#serve(socket))
    server.listen(path)
    await once(server, 'listening')
    return server
  }

  #serve(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    createInterface({ input: socket }).on('line', (line) => {
      this.#answer(line).then(
        (report) => socket.end(`${JSON.stringify(report)}\n`),
        (error) => socket.end(`${JSON.stringify({ error: describeError(error) })}\n`),
      )
    })
  }

  async #answer(line: string): Promise<WanReport> {
    const request: Request = JSON.parse(line)
    return await this.#apply(request)
  }
}

async function bind(address: string, port: number): Promise<UdpSocket> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
    // Only addresses are sent to: asking the system's resolver for each packet costs a third.
    lookup: (address, _options, answer) => answer(null, address, 4),
  })
  // The lookup above answers at once, and so does bind.
  const listening = once(socket, 'listening')
  socket.bind(port, address)
  await listening
  return socket
}

if (import.meta.main) {
  const stopping = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort())
  await new WanRelay(JSON.parse(process.argv[2] ?? '{}')).run(stopping.signal)
}
