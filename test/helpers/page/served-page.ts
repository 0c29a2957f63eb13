import { once } from 'node:events'
import { type ClientRequestArgs, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { z } from 'zod'
import { Page, type PageOptions } from '../../../src/api/page/page.ts'
import type { ServerMessage } from '../../../src/api/page/protocol.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { defineOperation, type Operation } from '../../../src/base/operation.ts'
import { Secret } from '../../../src/base/secret.ts'
import { operationTableOf } from '../api/operation-table-of.ts'
import { drStatus } from '../status/status-fixture.ts'

/** A page of its own, on a free port of the loopback. */
export class ServedPage implements AsyncDisposable {
  readonly page: Page
  /** How often its own status was asked for. */
  statuses = 0
  /** Names of peers that were asked. */
  readonly askedPeers: string[] = []
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly #sockets: WebSocket[] = []

  private constructor(options: Partial<PageOptions>) {
    const table = operationTableOf(this.#operations())
    this.page = new Page({
      config: { listen: { host: '127.0.0.1', port: 0 }, viewersPem: null },
      name: 'azure',
      site: 'azure',
      identity: { certificatePem: '', privateKeyPem: new Secret('') },
      peers: ['ec2'],
      operations: () => table,
      askPeer: async (peer) => {
        this.askedPeers.push(peer)
        return { ...drStatus, name: peer }
      },
      clock: systemClock,
      log: silentLog,
      ...options,
    })
    this.#running = this.page.run(this.#stop.signal)
  }

  static async start(options: Partial<PageOptions> = {}): Promise<ServedPage> {
    const served = new ServedPage(options)
    await expect.poll(() => served.page.port).not.toBeNull()
    return served
  }

  get host(): string {
    return `127.0.0.1:${this.page.port}`
  }

  async get(
    path: string,
    options: ClientRequestArgs = {},
  ): Promise<{ readonly response: IncomingMessage; readonly body: string }> {
    const where = { host: '127.0.0.1', port: this.page.port, path }
    const headers = { connection: 'close', ...options.headers }
    const [response] = await once(request({ ...where, ...options, headers }).end(), 'response')
    return { response, body: await text(response) }
  }

  /** What the page in the browser does. */
  connect(options: ClientOptions = {}, path = '/live'): WebSocket {
    const origin = `http://${this.host}`
    const socket = new WebSocket(`ws://${this.host}${path}`, { origin, ...options })
    socket.on('error', () => undefined)
    this.#sockets.push(socket)
    return socket
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.terminate()
    this.#stop.abort()
    await this.#running
  }

  #operations(): Operation[] {
    const nothing = z.strictObject({})
    const reads = { input: nothing, output: z.unknown(), permission: 'read' } as const
    return [
      defineOperation({
        ...reads,
        name: 'status',
        summary: 'its status',
        run: () => {
          this.statuses += 1
          return { ...drStatus }
        },
      }),
      defineOperation({
        ...reads,
        name: 'slow',
        summary: 'never ends by itself',
        run: async (_input, { signal, progress }) => {
          progress('began')
          await once(signal, 'abort')
        },
      }),
      defineOperation({
        ...reads,
        name: 'long',
        summary: 'answers much',
        run: () => 'x'.repeat(1_100_000),
      }),
      defineOperation({
        ...reads,
        name: 'replica.release',
        permission: 'operate',
        summary: 'changes something',
        run: () => 'changed',
      }),
    ]
  }
}

/** Every message from now on, and a way to wait for one. */
export function heard(socket: WebSocket): {
  readonly messages: ServerMessage[]
  next<Type extends ServerMessage['type']>(
    type: Type,
  ): Promise<Extract<ServerMessage, { readonly type: Type }>>
} {
  const messages: ServerMessage[] = []
  socket.on('message', (data) => messages.push(JSON.parse(String(data))))
  return {
    messages,
    next: async (type) => {
      const from = messages.length
      await expect
        .poll(() => messages.slice(from).some((message) => message.type === type))
        .toBe(true)
      const found = messages.slice(from).find((message) => message.type === type)
      return found as Extract<ServerMessage, { readonly type: typeof type }>
    },
  }
}

/** The HTTP status of an upgrade that was refused. */
export async function refusalOf(socket: WebSocket): Promise<number | undefined> {
  const [, response] = await once(socket, 'unexpected-response')
  return (response as IncomingMessage).statusCode
}

/** The code with which the other side closed it. */
export async function closeCodeOf(socket: WebSocket): Promise<number> {
  const [code] = await once(socket, 'close')
  return code
}
