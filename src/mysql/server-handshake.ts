import { ByteReader, ByteWriter } from '../base/cursor.ts'
import { LandbridgeError } from '../base/errors.ts'
import { Capability } from './capability.ts'
import { ServerStatus } from './ok-packet.ts'

export const NONCE_BYTES = 20
const PROTOCOL_VERSION = 10
const CHARSET_UTF8MB4 = 45
const NONCE_FIRST_PART_BYTES = 8
const RESPONSE_FIXED_BYTES = 32
const SSL_REQUEST_BYTES_MAX = 32

export interface Greeting {
  readonly serverVersion: string
  readonly connectionId: number
  readonly nonce: Buffer
  readonly capabilities: number
  readonly authPlugin: string
}

export interface HandshakeResponse {
  readonly capabilities: number
  readonly user: string
  readonly authResponse: Buffer
  readonly authPlugin: string
}

/** HandshakeV10: what a server says first. */
export function encodeGreeting(greeting: Greeting): Buffer {
  const { capabilities, nonce } = greeting
  const writer = new ByteWriter(128).u8(PROTOCOL_VERSION).textNul(greeting.serverVersion)
  writer.u32(greeting.connectionId).bytes(nonce.subarray(0, NONCE_FIRST_PART_BYTES)).u8(0)
  writer
    .u16(capabilities & 0xffff)
    .u8(CHARSET_UTF8MB4)
    .u16(ServerStatus.Autocommit)
  writer
    .u16(capabilities >>> 16)
    .u8(NONCE_BYTES + 1)
    .zeros(10)
  writer.bytes(nonce.subarray(NONCE_FIRST_PART_BYTES)).u8(0)
  return writer.textNul(greeting.authPlugin).take()
}

/** The client's wish to start TLS now: the head of a handshake response and nothing more. */
export function isSslRequest(payload: Buffer): boolean {
  if (payload.length < 4 || payload.length > SSL_REQUEST_BYTES_MAX) return false
  return (payload.readUInt32LE(0) & Capability.Ssl) !== 0
}

/** HandshakeResponse41. Throws ERR_TRUNCATED or ERR_MALFORMED. */
export function decodeHandshakeResponse(payload: Buffer): HandshakeResponse {
  const reader = new ByteReader(payload)
  const capabilities = reader.u32()
  if ((capabilities & Capability.Protocol41) === 0) {
    throw new LandbridgeError('ERR_MALFORMED', 'the client speaks a protocol older than 4.1')
  }
  reader.bytes(RESPONSE_FIXED_BYTES - 4)
  const user = reader.textToNul()
  const authResponse = readAuthResponse(reader, capabilities)
  if ((capabilities & Capability.ConnectWithDatabase) !== 0 && reader.remaining > 0) {
    reader.textToNul()
  }
  let authPlugin = ''
  if ((capabilities & Capability.PluginAuth) !== 0 && reader.remaining > 0) {
    authPlugin = reader.textToNul()
  }
  return { capabilities, user, authResponse, authPlugin }
}

function readAuthResponse(reader: ByteReader, capabilities: number): Buffer {
  if ((capabilities & Capability.PluginAuthLenenc) !== 0) return reader.lenencBytes()
  if ((capabilities & Capability.SecureConnection) !== 0) return reader.bytes(reader.u8())
  return Buffer.from(reader.textToNul('latin1'), 'latin1')
}

/** Asks the client to answer `nonce` with another method. */
export function encodeAuthSwitch(plugin: string, nonce: Buffer): Buffer {
  return new ByteWriter(64).u8(0xfe).textNul(plugin).bytes(nonce).u8(0).take()
}
