import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { systemClock } from '../../../src/base/clock.ts'
import { certificateFingerprint, publicKeyFingerprint } from '../../../src/base/fingerprint.ts'
import { createAuthority, issueGatewayCertificate } from '../../../src/keys/certificates.ts'
import { encodeJson, encodePing, FrameType } from '../../../src/link/frame.ts'
import { LINK_PATH } from '../../../src/link/link-client.ts'
import { LinkServer } from '../../../src/link/link-server.ts'
import type { SessionBody } from '../../../src/link/link-session.ts'
import { firstTerm } from '../../../src/status/term-record.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { takeFlags, withFlags } from '../input/flags.ts'
import { BODIES } from '../input/link-bodies.ts'
import { joinParts, splitParts } from '../input/parts.ts'
import { StrictLog } from '../input/strict-log.ts'

/** The input comes behind a good request: WebSocket frames instead of one. */
const UPGRADED = 1
/** Each part becomes a frame of its own, masked as a client must. */
const FRAMED = 2
const SETTLE_MS_MAX = 50_000

const REQUEST = [
  `GET ${LINK_PATH} HTTP/1.1`,
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n')

const idleBody = (): SessionBody => ({
  onFrame: () => undefined,
  run: async (signal) => {
    if (!signal.aborted) await once(signal, 'abort')
  },
})

/** A binary frame of a client; its mask is zero, so that the payload stays as it is. */
function framed(payload: Buffer): Buffer {
  const head = Buffer.from([0x82, 0x80 | 126, 0, 0, 0, 0, 0, 0])
  head.writeUInt16BE(payload.length, 2)
  return Buffer.concat([head, payload])
}

function bytesOf(input: Buffer): Buffer {
  const { flags, bytes } = takeFlags(input)
  const said = flags & FRAMED ? Buffer.concat(splitParts(bytes).map(framed)) : bytes
  return flags & UPGRADED ? Buffer.concat([Buffer.from(REQUEST), said]) : said
}

function seeds(): Buffer[] {
  const frames = [...BODIES.map(([type, body]) => encodeJson(type, 0, body)), encodePing(7)]
  const hello = encodeJson(FrameType.Hello, 0, {
    protocol: { oldest: 1, newest: 1 },
    gateway: 'azure',
    site: 'azure',
    software: 'fuzz',
    streams: [{ name: 'main', term: firstTerm('ec2') }],
  })
  const closing = Buffer.from('888200000000 03e8'.replaceAll(' ', ''), 'hex')
  const pinging = Buffer.from('8980000000000a80000000008180000000000180000000000080000000', 'hex')
  return [
    withFlags(0, Buffer.from(REQUEST)),
    withFlags(0, Buffer.from('GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello')),
    withFlags(
      0,
      Buffer.from(
        REQUEST.replace('\r\n\r\n', '\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
      ),
    ),
    withFlags(UPGRADED | FRAMED, joinParts([hello, ...frames])),
    withFlags(UPGRADED, Buffer.concat([framed(hello), pinging, closing])),
  ]
}

/** The real server, on the loopback, as somebody meets it who has a certificate of the pair. */
class Listener {
  readonly #server: LinkServer
  readonly #log = new StrictLog()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly #connect: (port: number) => TLSSocket
  #port = 0

  private constructor(server: (log: StrictLog) => LinkServer, dial: (port: number) => TLSSocket) {
    this.#server = server(this.#log)
    this.#running = this.#server.run(this.#stop.signal)
    this.#connect = dial
  }

  static async start(): Promise<Listener> {
    const nowMs = Date.now()
    const authority = await createAuthority('pair', nowMs)
    const issue = async (name: string) =>
      await issueGatewayCertificate({ authority, name, tunnelAddress: '127.0.0.1', nowMs })
    const [own, peer] = [await issue('ec2'), await issue('azure')]
    const ca = authority.certificatePem
    const tls = {
      certificatePem: own.certificatePem,
      privateKeyPem: own.privateKeyPem,
      authorityPem: ca,
      fingerprintOf: (certificate: X509Certificate) => publicKeyFingerprint(certificate.publicKey),
    }
    let dials = 0
    const listener = new Listener(
      (log) =>
        new LinkServer({
          own: () => ({ gateway: 'ec2', site: 'ec2', software: 'fuzz', streams: [] }),
          peers: [
            {
              name: 'azure',
              site: 'azure',
              certificateFingerprint: certificateFingerprint(peer.certificatePem),
            },
          ],
          pingMs: 60_000,
          host: '127.0.0.1',
          port: 0,
          tls,
          createBody: idleBody,
          serve: async () => null,
          clock: systemClock,
          log,
        }),
      (port) => {
        const key = peer.privateKeyPem.reveal()
        // Each from an address of its own: one that comes too often is turned away at the door.
        dials += 1
        const localAddress = `127.1.${Math.floor(dials / 250) % 250}.${1 + (dials % 250)}`
        const to = { port, host: '127.0.0.1', localAddress }
        return connect({ ...to, ca, cert: peer.certificatePem, key })
      },
    )
    listener.#port = await listener.#server.ready
    return listener
  }

  /** Everything is said at once, then the client goes; the server must let go as well. */
  async run(input: Buffer): Promise<void> {
    const socket = this.#connect(this.#port)
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    socket.resume()
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(SETTLE_MS_MAX) })
    socket.end(bytesOf(input))
    await closed
    this.#log.check()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

export const createTarget = async (): Promise<FuzzTarget> => {
  const listener = await Listener.start()
  return {
    inputBytesMax: 4000,
    seeds: seeds(),
    tokens: [
      '\r\n',
      '\r\n\r\n',
      'Upgrade: ',
      'Sec-WebSocket-Extensions: ',
      'permessage-deflate',
      'POST ',
    ],
    run: (input) => listener.run(input),
    close: async () => await listener.close(),
  }
}
