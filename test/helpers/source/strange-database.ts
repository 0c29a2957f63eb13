import { constants, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { systemClock } from '../../../src/base/clock.ts'
import { Capability } from '../../../src/mysql/capability.ts'
import { createNonce } from '../../../src/mysql/server-auth.ts'
import {
  encodeAuthSwitch,
  encodeGreeting,
  isSslRequest,
} from '../../../src/mysql/server-handshake.ts'
import { PacketChannel } from '../../../src/relay/login/packet-channel.ts'

export interface StrangeDatabaseOptions {
  /** Null: the greeting offers no TLS, as when somebody in between took the offer out. */
  readonly tls: { readonly key: string; readonly certificate: string } | null
  /** What the client is asked to prove itself with. */
  readonly plugin: string
  /** This comes in clear behind the greeting, in one piece with it, before there is TLS. */
  readonly early?: 'all' | 'part'
}

const CAPABILITIES =
  Capability.LongPassword |
  Capability.Protocol41 |
  Capability.Transactions |
  Capability.SecureConnection |
  Capability.PluginAuth |
  Capability.PluginAuthLenenc

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PUBLIC_KEY_WANTED = 2
const FULL_AUTHENTICATION = Buffer.from([1, 4])

/**
 * Somebody who answers in a database's place and is after the password: greets, switches to
 * `plugin`, and for caching_sha2_password asks for the password itself, with a key of its own.
 */
export class StrangeDatabase implements AsyncDisposable {
  readonly port: number
  /** Every packet of every client, but the wish for TLS. */
  readonly heard: Buffer[] = []
  readonly passwords: string[] = []
  readonly #server: Server
  readonly #sockets: Set<Socket>

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server
    this.#sockets = sockets
    this.port = (server.address() as AddressInfo).port
  }

  static async create(options: StrangeDatabaseOptions): Promise<StrangeDatabase> {
    const sockets = new Set<Socket>()
    let strange: StrangeDatabase | null = null
    const server = createServer((socket) => {
      sockets.add(socket)
      const channel = new PacketChannel(socket, {
        payloadBytesMax: 65_536,
        writeMs: 60_000,
        clock: systemClock,
      })
      // A client that goes away in the middle is what the tests wait for.
      strange?.talk(channel, socket, options).catch(() => channel.destroy())
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    strange = new StrangeDatabase(server, sockets)
    return strange
  }

  async talk(
    channel: PacketChannel,
    socket: Socket,
    { tls, plugin, early }: StrangeDatabaseOptions,
  ): Promise<void> {
    const nonce = createNonce()
    const capabilities = CAPABILITIES | (tls === null ? 0 : Capability.Ssl)
    const greeting = { connectionId: 1, nonce, capabilities, authPlugin: plugin }
    const greeted = encodeGreeting({ ...greeting, serverVersion: '9.7.0' })
    if (early === undefined) await channel.send(greeted)
    else socket.write(Buffer.concat([packetOf(0, greeted), question(plugin, nonce, early)]))
    let packet = await channel.read()
    if (tls !== null && packet !== undefined && isSslRequest(packet.payload)) {
      const { key, certificate } = tls
      await channel.startTls(createSecureContext({ key, cert: certificate }))
      packet = await channel.read()
    }
    if (packet === undefined) return
    this.heard.push(packet.payload)
    const isFirst = plugin === 'caching_sha2_password'
    await channel.send(isFirst ? FULL_AUTHENTICATION : encodeAuthSwitch(plugin, nonce))
    for (packet = await channel.read(); packet !== undefined; packet = await channel.read()) {
      const { payload } = packet
      this.heard.push(payload)
      if (payload.length === 1 && payload[0] === PUBLIC_KEY_WANTED) {
        const pem = RSA.publicKey.export({ type: 'spki', format: 'pem' })
        await channel.send(Buffer.concat([Buffer.from([1]), Buffer.from(pem)]))
      } else this.passwords.push(passwordIn(payload, nonce))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** What would make a client that listens say its password. */
function question(plugin: string, nonce: Buffer, early: 'all' | 'part'): Buffer {
  const bytes = Buffer.concat([
    packetOf(2, encodeAuthSwitch(plugin, nonce)),
    ...(plugin === 'caching_sha2_password' ? [packetOf(3, FULL_AUTHENTICATION)] : []),
  ])
  return early === 'all' ? bytes : bytes.subarray(0, 6)
}

function packetOf(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header.writeUInt8(sequence, 3)
  return Buffer.concat([header, payload])
}

function passwordIn(payload: Buffer, nonce: Buffer): string {
  if (payload.at(-1) === 0) return payload.toString().slice(0, -1)
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const mixed = privateDecrypt({ key: RSA.privateKey, padding, oaepHash: 'sha1' }, payload)
  const clear = mixed.map((byte, index) => byte ^ (nonce[index % nonce.length] as number))
  return Buffer.from(clear).toString().slice(0, -1)
}
