import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { LandbridgeError } from './errors.ts'
import { Secret } from './secret.ts'

/*
 * A WireGuard key is a raw X25519 key: the last 32 bytes of what Node exports. Files and `wg` carry
 * it in base64.
 */

const KEY_BYTES = 32
/** PKCS #8 around a raw X25519 private key (RFC 8410, section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

export interface WireguardKeyPair {
  readonly privateKey: Secret
  readonly publicKey: string
}

export function generateWireguardKeyPair(): WireguardKeyPair {
  const { privateKey } = generateKeyPairSync('x25519')
  const der = privateKey.export({ type: 'pkcs8', format: 'der' })
  const raw = Buffer.from(der.subarray(-KEY_BYTES))
  // Clamped as `wg genkey` does, so that other tools show the same text for the same key.
  raw.writeUInt8(raw.readUInt8(0) & 248, 0)
  raw.writeUInt8((raw.readUInt8(31) & 127) | 64, 31)
  const secret = new Secret(raw.toString('base64'))
  return { privateKey: secret, publicKey: wireguardPublicKey(secret) }
}

/** The public key that belongs to a private key, in base64. */
export function wireguardPublicKey(privateKey: Secret): string {
  const raw = decodeKey(privateKey.reveal().trim())
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, raw]),
    format: 'der',
    type: 'pkcs8',
  })
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return der.subarray(-KEY_BYTES).toString('base64')
}

/** A raw X25519 key, public or private, in base64. */
export function isWireguardKey(value: string): boolean {
  // 32 bytes leave 4 unused bits in the last digit; only zeros there are canonical.
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(value)
}

function decodeKey(value: string): Buffer {
  if (!isWireguardKey(value)) throw keyError()
  return Buffer.from(value, 'base64')
}

function keyError(): LandbridgeError {
  // The value stays out of the message: it may be a private key with one letter missing.
  return new LandbridgeError('ERR_WIREGUARD_KEY', 'a value is not a WireGuard key of 32 bytes', {
    remedy: 'make one with `landbridge init` or `wg genkey`',
  })
}
