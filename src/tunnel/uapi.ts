import { isIP } from 'node:net'
import { LandbridgeError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import {
  allowedAddress,
  type PeerEndpoints,
  type TunnelPeer,
  type TunnelReading,
  type TunnelSettings,
} from './tunnel-backend.ts'

/*
 * The text protocol of a userspace WireGuard's socket: lines of key=value, an empty line at the
 * end, keys in hex. Replies end with `errno=N`. No I/O in here.
 */

export const GET_REQUEST = 'get=1\n\n'
/** One peer takes about 500 bytes. */
const REPLY_CHARS_MAX = 64 * 1024
const PEERS_MAX = 64

export function encodeSet(
  settings: TunnelSettings,
  privateKey: Secret,
  endpoints: PeerEndpoints,
): Secret {
  return new Secret(
    lines([
      ['set', '1'],
      ['private_key', hexOf(privateKey.reveal().trim())],
      ['listen_port', String(settings.listenPort)],
      ['replace_peers', 'true'],
      ...settings.peers.flatMap((peer) => peerPairs(peer, endpoints.get(peer.publicKey))),
    ]),
  )
}

/** A block of the request: it begins with the key, all that follows is of that peer. */
function peerPairs(peer: TunnelPeer, endpoint: string | undefined): Pair[] {
  return [
    ['public_key', hexOf(peer.publicKey)],
    ...(endpoint === undefined ? [] : [['endpoint', endpoint] as const]),
    ['persistent_keepalive_interval', String(Math.ceil(peer.keepaliveMs / 1000))],
    ['replace_allowed_ips', 'true'],
    ['allowed_ip', allowedAddress(peer.tunnelAddress)],
  ]
}

export function encodeSetEndpoint(publicKey: string, endpoint: string): string {
  return lines([
    ['set', '1'],
    ['public_key', hexOf(publicKey)],
    ['update_only', 'true'],
    ['endpoint', endpoint],
  ])
}

type Pair = readonly [key: string, value: string]

function lines(pairs: readonly Pair[]): string {
  return `${pairs.map(([key, value]) => `${key}=${value}`).join('\n')}\n\n`
}

function hexOf(key: string): string {
  const raw = Buffer.from(key, 'base64')
  if (raw.length !== 32) throw malformed('a key is not 32 bytes long')
  return raw.toString('hex')
}

/** Cuts a socket's bytes into replies. Holds no more than one reply of bounded size. */
export class UapiReplySplitter {
  #text = ''

  push(chunk: string): string[] {
    this.#text += chunk
    const replies: string[] = []
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end < 0) break
      replies.push(this.#text.slice(0, end + 1))
      this.#text = this.#text.slice(end + 2)
    }
    if (this.#text.length > REPLY_CHARS_MAX) throw malformed('a reply has no end')
    return replies
  }
}

export interface UapiPeer extends TunnelReading {
  readonly publicKey: string
  readonly keepaliveMs: number
  readonly allowedAddresses: readonly string[]
}

export interface UapiDevice {
  /** The socket hands it out in clear: wrapped at once, for comparing only. */
  readonly privateKey: Secret | null
  readonly listenPort: number | null
  readonly peers: readonly UapiPeer[]
}

/** Throws when the reply is not one, or tells of an error. Unknown keys are passed over. */
export function parseReply(reply: string): UapiDevice {
  if (reply.length > REPLY_CHARS_MAX) throw malformed('a reply is too long')
  let errno: number | null = null
  const device: { privateKey: Secret | null; listenPort: number | null; peers: DraftPeer[] } = {
    privateKey: null,
    listenPort: null,
    peers: [],
  }
  for (const line of reply.split('\n')) {
    if (line === '') continue
    const at = line.indexOf('=')
    if (at <= 0 || errno !== null) throw malformed('a line of a reply is not key=value')
    const key = line.slice(0, at)
    const value = line.slice(at + 1)
    if (key === 'errno') errno = integer(value)
    else if (key === 'private_key') device.privateKey = new Secret(base64Of(value))
    else if (key === 'listen_port') device.listenPort = integer(value)
    else if (key === 'public_key') addPeer(device.peers, value)
    else addToPeer(device.peers.at(-1), key, value)
  }
  if (errno === null) throw malformed('a reply has no errno')
  if (errno !== 0) {
    throw new LandbridgeError('ERR_TUNNEL_UAPI_ERRNO', `wireguard-go refused: errno ${errno}`, {
      retryable: true,
      details: { errno },
    })
  }
  return { ...device, peers: device.peers.map(toPeer) }
}

interface DraftPeer {
  readonly publicKey: string
  handshakeSeconds: number
  handshakeNanoseconds: number
  receivedBytes: number
  sentBytes: number
  endpoint: string | null
  keepaliveSeconds: number
  readonly allowedAddresses: string[]
}

function addPeer(peers: DraftPeer[], value: string): void {
  if (peers.length >= PEERS_MAX) throw malformed('a reply has too many peers')
  peers.push({
    publicKey: base64Of(value),
    handshakeSeconds: 0,
    handshakeNanoseconds: 0,
    receivedBytes: 0,
    sentBytes: 0,
    endpoint: null,
    keepaliveSeconds: 0,
    allowedAddresses: [],
  })
}

function addToPeer(peer: DraftPeer | undefined, key: string, value: string): void {
  if (peer === undefined) return
  if (key === 'endpoint') peer.endpoint = value
  else if (key === 'allowed_ip') peer.allowedAddresses.push(value)
  else if (key === 'last_handshake_time_sec') peer.handshakeSeconds = integer(value)
  else if (key === 'last_handshake_time_nsec') peer.handshakeNanoseconds = integer(value)
  else if (key === 'rx_bytes') peer.receivedBytes = integer(value)
  else if (key === 'tx_bytes') peer.sentBytes = integer(value)
  else if (key === 'persistent_keepalive_interval') peer.keepaliveSeconds = integer(value)
}

function toPeer(draft: DraftPeer): UapiPeer {
  const handshakeMs = draft.handshakeSeconds * 1000 + draft.handshakeNanoseconds / 1e6
  return {
    publicKey: draft.publicKey,
    handshakeAtMs: handshakeMs === 0 ? null : handshakeMs,
    receivedBytes: draft.receivedBytes,
    sentBytes: draft.sentBytes,
    endpoint: draft.endpoint,
    keepaliveMs: draft.keepaliveSeconds * 1000,
    allowedAddresses: draft.allowedAddresses,
  }
}

/** `address:port` or `[address]:port` as the socket takes it; null for anything else. */
export function parseEndpoint(text: string): { address: string; port: number } | null {
  const match = /^(?:\[([0-9a-f:.%a-z]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text)
  const address = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  return isIP(address) !== 0 && port >= 1 && port <= 65_535 ? { address, port } : null
}

function integer(value: string): number {
  const number = /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number)) throw malformed('a number of a reply is none')
  return number
}

function base64Of(hex: string): string {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw malformed('a key of a reply is not 64 hex digits')
  return Buffer.from(hex, 'hex').toString('base64')
}

function malformed(what: string): LandbridgeError {
  // No part of the reply goes into the message: it carries the private key.
  return new LandbridgeError('ERR_TUNNEL_UAPI', `wireguard-go's socket: ${what}`, {
    retryable: true,
  })
}
