import type { SecureContext } from 'node:tls'
import type { Flavor } from '../../base/flavor.ts'
import type { RefusalReason } from '../../base/refusals.ts'
import type { Secret } from '../../base/secret.ts'
import { Capability } from '../../mysql/capability.ts'
import { encodeOk, encodeServerError, type ServerError } from '../../mysql/ok-packet.ts'
import {
  type AuthPlugin,
  CACHING_SHA2_PASSWORD,
  createNonce,
  FAST_AUTH_SUCCESS,
  isAuthResponseRight,
  isSameText,
  NATIVE_PASSWORD,
} from '../../mysql/server-auth.ts'
import {
  decodeHandshakeResponse,
  encodeAuthSwitch,
  encodeGreeting,
  type HandshakeResponse,
  isSslRequest,
} from '../../mysql/server-handshake.ts'
import { accessDenied, tlsRequired, tooManyConnections } from '../query/server-errors.ts'
import type { PacketChannel } from './packet-channel.ts'

export interface LoginOptions {
  readonly flavor: Flavor
  readonly serverVersion: string
  readonly connectionId: number
  readonly user: string
  readonly password: Secret
  readonly secureContext: SecureContext | null
  /** Whether this client may log in without TLS. */
  readonly isPlainAllowed: boolean
  readonly door: SessionDoor
}

/** What the relay's door does for a session that has not logged in. */
export interface SessionDoor {
  /** Counts and logs why the client is turned away. */
  readonly refused: (reason: RefusalReason) => void
  /** Settles when a wrong password may be answered, or nobody waits for that any more. */
  readonly wrongPassword: (closed: AbortSignal) => Promise<void>
  /** It logged in; false where the house is full. */
  readonly letIn: () => boolean
}

export interface Login {
  readonly deprecateEof: boolean
}

const SERVER_CAPABILITIES =
  Capability.LongPassword |
  Capability.FoundRows |
  Capability.LongFlag |
  Capability.ConnectWithDatabase |
  Capability.Protocol41 |
  Capability.Interactive |
  Capability.Transactions |
  Capability.SecureConnection |
  Capability.MultiResults |
  Capability.PluginAuth |
  Capability.ConnectAttributes |
  Capability.PluginAuthLenenc |
  Capability.DeprecateEof

/**
 * Greets a client, goes over to TLS when it asks, and checks its password.
 *
 *     greeting ──▶ [TLS] ──▶ response ──▶ [other method] ──▶ in, or refused with an error packet
 *
 * Null when the client was refused or went away.
 */
export async function login(channel: PacketChannel, options: LoginOptions): Promise<Login | null> {
  const nonce = createNonce()
  const plugin = options.flavor === 'mysql' ? CACHING_SHA2_PASSWORD : NATIVE_PASSWORD
  const ssl = options.secureContext === null ? 0 : Capability.Ssl
  const capabilities = SERVER_CAPABILITIES | ssl
  const { serverVersion, connectionId } = options
  await channel.send(
    encodeGreeting({ serverVersion, connectionId, nonce, capabilities, authPlugin: plugin }),
  )
  let packet = await channel.read()
  if (packet !== undefined && options.secureContext !== null && isSslRequest(packet.payload)) {
    await channel.startTls(options.secureContext)
    packet = await channel.read()
  }
  if (packet === undefined) return null
  const response = decodeHandshakeResponse(packet.payload)
  const { door } = options
  if (!channel.isSecure && !options.isPlainAllowed) {
    door.refused('no-tls')
    return refuse(channel, tlsRequired())
  }
  if (!(await isAuthentic(channel, options, plugin, nonce, response))) {
    if (!channel.closed.aborted) await door.wrongPassword(channel.closed)
    return channel.closed.aborted ? null : refuse(channel, accessDenied(response.user))
  }
  if (!door.letIn()) return refuse(channel, tooManyConnections())
  if (plugin === CACHING_SHA2_PASSWORD) await channel.send(FAST_AUTH_SUCCESS)
  await channel.send(encodeOk())
  return { deprecateEof: (response.capabilities & Capability.DeprecateEof) !== 0 }
}

async function isAuthentic(
  channel: PacketChannel,
  options: LoginOptions,
  plugin: AuthPlugin,
  nonce: Buffer,
  response: HandshakeResponse,
): Promise<boolean> {
  let { authResponse } = response
  // A client that names no method uses the one of the greeting.
  if (response.authPlugin !== '' && response.authPlugin !== plugin) {
    await channel.send(encodeAuthSwitch(plugin, nonce))
    const packet = await channel.read()
    if (packet === undefined) return false
    authResponse = packet.payload
  }
  const isRightPassword = isAuthResponseRight(plugin, options.password, nonce, authResponse)
  // Both are always looked at, so that the time says nothing about the user name.
  return isSameText(response.user, options.user) && isRightPassword
}

async function refuse(channel: PacketChannel, error: ServerError): Promise<null> {
  await channel.send(encodeServerError(error))
  return null
}
