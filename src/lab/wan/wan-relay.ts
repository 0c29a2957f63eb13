import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { describeError } from '../../base/errors.ts'
import {
  closeKernelPath,
  openKernelPath,
  readKernelPath,
  type WanPathOptions,
} from './wan-kernel-path.ts'
import { WanScheduler } from './wan-scheduler.ts'
import { isClear, type WanDirection, type WanSettings } from './wan-settings.ts'

/**
 * The WAN of a lab: a process of its own in the `wan` namespace, between the two gateways. While
 * nothing is impaired the kernel passes the packets (see wan-kernel-path.ts); as soon as something
 * is, they come here. Controlled by JSON lines on a Unix socket: `{"set": {...}}` or `{}`, each
 * answered by one WanReport. Runs as `node wan-relay.ts '<WanRelayOptions as JSON>'`.
 */
export interface WanRelayOptions extends WanPathOptions {
  readonly controlSocket: string
  readonly settings: WanSettings
}

export interface WanReport {
  readonly settings: WanSettings
  /** Who passes the packets at the moment. */
  readonly path: 'kernel' | 'relay'
  readonly directions: Record<WanDirection, { packets: number; bytes: number; dropped: number }>
}

interface Lane {
  readonly direction: WanDirection
  readonly from: UdpSocket
  readonly to: UdpSocket
  readonly toAddress: string
}

const BUFFER_BYTES = 4 * 1024 * 1024

export class WanRelay {
  readonly #options: WanRelayOptions
  readonly #scheduler: WanScheduler<Buffer>
  #lanes: Lane[] = []
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Number.POSITIVE_INFINITY
  #kernel = false
  /** One change of the kernel's path at a time. */
  #changing: Promise<unknown> = Promise.resolve()
  readonly #passed = { 'a-to-b': { packets: 0, bytes: 0 }, 'b-to-a': { packets: 0, bytes: 0 } }

  constructor(options: WanRelayOptions) {
    this.#options = options
    this.#scheduler = new WanScheduler({ settings: options.settings, random: Math.random })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { a, b, port, controlSocket } = this.#options
    const [socketA, socketB] = await Promise.all([
      bind(a.wanAddress, port),
      bind(b.wanAddress, port),
    ])
    this.#lanes = [
      { direction: 'a-to-b', from: socketA, to: socketB, toAddress: b.gatewayAddress },
      { direction: 'b-to-a', from: socketB, to: socketA, toAddress: a.gatewayAddress },
    ]
    for (const lane of this.#lanes) lane.from.on('message', (packet) => this.#take(lane, packet))
    await closeKernelPath()
    await this.#apply({})
    const control = await this.#listen(controlSocket)
    try {
      if (!signal.aborted) await once(signal, 'abort')
    } finally {
      clearTimeout(this.#timer)
      control.close()
      await this.#changing
      await closeKernelPath()
      socketA.close()
      socketB.close()
      await rm(controlSocket, { force: true })
    }
  }

  #take(lane: Lane, packet: Buffer): void {
    const nowMs = performance.now()
    const verdict = this.#scheduler.offer(lane.direction, packet, packet.length, nowMs)
    if (verdict === 'now') this.#send(lane, packet)
    else if (verdict === 'queued') this.#arm(nowMs)
  }

  #send(lane: Lane, packet: Buffer): void {
    // The gateway's port may be closed for the moment; UDP does not tell and nobody is to care.
    lane.to.send(packet, this.#options.port, lane.toAddress, () => undefined)
  }

  #arm(nowMs: number): void {
    const atMs = this.#scheduler.nextAtMs()
    if (atMs === null || atMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = setTimeout(() => this.#release(), Math.max(0, atMs - nowMs))
  }

  #release(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    // Node's timers count whole milliseconds: what is due within half of one goes along.
    const nowMs = performance.now() + 0.5
    for (const lane of this.#lanes) {
      for (const packet of this.#scheduler.take(lane.direction, nowMs)) this.#send(lane, packet)
    }
    this.#arm(performance.now())
  }

  async #apply(changes: Partial<WanSettings>): Promise<WanReport> {
    const applied = this.#changing.then(async () => {
      this.#scheduler.update(changes)
      const wanted = isClear(this.#scheduler.settings)
      if (this.#kernel && !wanted) {
        await this.#countKernel()
        await closeKernelPath()
        this.#kernel = false
      } else if (!this.#kernel && wanted) {
        this.#kernel = await openKernelPath(this.#options)
      }
      return this.#report()
    })
    this.#changing = applied.catch(() => undefined)
    return applied
  }

  async #countKernel(): Promise<void> {
    const read = await readKernelPath()
    for (const direction of ['a-to-b', 'b-to-a'] as const) {
      this.#passed[direction].packets += read[direction].packets
      this.#passed[direction].bytes += read[direction].bytes
    }
  }

  async #report(): Promise<WanReport> {
    const kernel = this.#kernel ? await readKernelPath() : null
    const of = (direction: WanDirection) => {
      const relayed = this.#scheduler.counters(direction)
      const passed = this.#passed[direction]
      return {
        packets: relayed.forwarded + passed.packets + (kernel?.[direction].packets ?? 0),
        bytes: relayed.forwardedBytes + passed.bytes + (kernel?.[direction].bytes ?? 0),
        dropped: relayed.dropped,
      }
    }
    return {
      settings: this.#scheduler.settings,
      path: this.#kernel ? 'kernel' : 'relay',
      directions: { 'a-to-b': of('a-to-b'), 'b-to-a': of('b-to-a') },
    }
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
    const request: { set?: Partial<WanSettings> } = JSON.parse(line)
    return await this.#apply(request.set ?? {})
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
