import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../base/secret.ts'
import { NONCE_BYTES } from './server-handshake.ts'

export const NATIVE_PASSWORD = 'mysql_native_password'
export const CACHING_SHA2_PASSWORD = 'caching_sha2_password'

export type AuthPlugin = typeof NATIVE_PASSWORD | typeof CACHING_SHA2_PASSWORD

/** AuthMoreData `fast_auth_success`: the scramble was right, no password needs to travel. */
export const FAST_AUTH_SUCCESS = Buffer.from([0x01, 0x03])

/** Printable-safe random bytes: clients read the second half as a NUL-terminated text. */
export function createNonce(): Buffer {
  return randomBytes(NONCE_BYTES).map((byte) => (byte % 89) + 38) as Buffer
}

/**
 * Whether `response` proves the password. We know the password, so the scramble is computed and
 * compared in constant time, and no client ever has to send it in clear.
 */
export function isAuthResponseRight(
  plugin: AuthPlugin,
  password: Secret,
  nonce: Buffer,
  response: Buffer,
): boolean {
  const value = password.reveal()
  const expected = plugin === NATIVE_PASSWORD ? native(value, nonce) : cachingSha2(value, nonce)
  return response.length === expected.length && timingSafeEqual(response, expected)
}

/** Compares texts of any length without telling where they differ. */
export function isSameText(left: string, right: string): boolean {
  return timingSafeEqual(hash('sha256', Buffer.from(left)), hash('sha256', Buffer.from(right)))
}

/** SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password))) */
function native(password: string, nonce: Buffer): Buffer {
  const once = hash('sha1', Buffer.from(password))
  return xor(once, hash('sha1', nonce, hash('sha1', once)))
}

/** SHA256(password) XOR SHA256(SHA256(SHA256(password)) + nonce) */
function cachingSha2(password: string, nonce: Buffer): Buffer {
  const once = hash('sha256', Buffer.from(password))
  return xor(once, hash('sha256', hash('sha256', once), nonce))
}

function hash(algorithm: 'sha1' | 'sha256', ...parts: readonly Buffer[]): Buffer {
  const state = createHash(algorithm)
  for (const part of parts) state.update(part)
  return state.digest()
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] as number)))
}
