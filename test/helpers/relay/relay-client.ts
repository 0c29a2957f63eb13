import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ByteWriter } from '../../../src/base/cursor.ts'
import { Capability } from '../../../src/mysql/capability.ts'
import { type Packet, PacketDecoder } from '../../../src/mysql/packet-decoder.ts'
import { PacketWriter } from '../../../src/mysql/packet-writer.ts'

const CAPABILITIES =
  Capability.LongPassword |
  Capability.Protocol41 |
  Capability.SecureConnection |
  Capability.PluginAuth |
  Capability.DeprecateEof

export interface RelayClientOptions {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly tls: boolean
  /** An address of the loopback: each counts as a host of its own. */
  readonly from?: string
}

/** A client of few words: logs in and sends commands, and shows every packet that comes back. */
export class RelayClient {
  readonly #decoder = new PacketDecoder({ payloadBytesMax: 2 ** 30 })
  readonly #writer = new PacketWriter()
  #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  get socket(): Socket {
    return this.#socket
  }

  /** Connects without a login. */
  static async connect(port: number, from = '127.0.0.1'): Promise<RelayClient> {
    const socket = connectTcp({ host: '127.0.0.1', port, localAddress: from })
    await once(socket, 'connect')
    return new RelayClient(socket)
  }

  static async login(options: RelayClientOptions): Promise<RelayClient> {
    const client = await RelayClient.connect(options.port, options.from)
    const greeting = await client.need()
    const versionEnd = greeting.indexOf(0, 1)
    const nonce = Buffer.concat([
      greeting.subarray(versionEnd + 5, versionEnd + 13),
      greeting.subarray(versionEnd + 32, versionEnd + 44),
    ])
    const plugin = greeting.subarray(versionEnd + 45, greeting.length - 1).toString()
    const capabilities = options.tls ? CAPABILITIES | Capability.Ssl : CAPABILITIES
    const head = new ByteWriter(128)
      .u32(capabilities)
      .u32(2 ** 24)
      .u8(45)
      .zeros(23)
    if (options.tls) await client.#startTls(head.take())
    const scramble = plugin.startsWith('caching') ? sha2 : native
    const response = scramble(options.password, nonce)
    head.textNul(options.user).u8(response.length).bytes(response).textNul(plugin)
    client.send(head.take())
    let reply = await client.need()
    if (reply[0] === 1) reply = await client.need()
    if (reply[0] !== 0) throw new Error(reply.toString('latin1', 3))
    return client
  }

  async #startTls(head: Buffer): Promise<void> {
    this.send(head)
    this.#socket.removeAllListeners('readable')
    this.#socket = connectTls({ socket: this.#socket, rejectUnauthorized: false })
    await once(this.#socket, 'secureConnect')
  }

  /** Sends a payload as the next packet of the exchange. */
  send(payload: Buffer): void {
    this.#socket.write(this.#writer.frame(payload))
  }

  command(code: number, body: Buffer | string = ''): void {
    this.#writer.sequence = 0
    this.send(Buffer.concat([Buffer.from([code]), Buffer.from(body)]))
  }

  /** A query that answers OK, or throws the server's error. */
  async ok(sql: string): Promise<void> {
    this.command(3, sql)
    const reply = await this.need()
    if (reply[0] !== 0) throw new Error(reply.toString('latin1', 3))
  }

  /** The next packet; undefined when the relay has closed the connection. */
  async next(): Promise<Packet | undefined> {
    for (;;) {
      const packet = this.#decoder.next()
      if (packet !== undefined) {
        this.#writer.sequence = packet.sequence + 1
        return packet
      }
      const chunk: Buffer | null = this.#socket.read()
      if (chunk !== null) this.#decoder.push(chunk)
      else if (this.#socket.destroyed || this.#socket.readableEnded) return undefined
      else await this.#moved()
    }
  }

  /** Settles when there is something to read or the connection is over. */
  async #moved(): Promise<void> {
    const done = new AbortController()
    const waits = ['readable', 'end', 'close'].map((name) =>
      once(this.#socket, name, { signal: done.signal }).catch(() => undefined),
    )
    await Promise.race(waits)
    done.abort()
  }

  async need(): Promise<Buffer> {
    const packet = await this.next()
    if (packet === undefined) throw new Error('the relay closed the connection')
    return packet.payload
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

function hash(algorithm: string, ...parts: Buffer[]): Buffer {
  const state = createHash(algorithm)
  for (const part of parts) state.update(part)
  return state.digest()
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)))
}

function native(password: string, nonce: Buffer): Buffer {
  const once = hash('sha1', Buffer.from(password))
  return xor(once, hash('sha1', nonce, hash('sha1', once)))
}

function sha2(password: string, nonce: Buffer): Buffer {
  const once = hash('sha256', Buffer.from(password))
  return xor(once, hash('sha256', hash('sha256', once), nonce))
}
