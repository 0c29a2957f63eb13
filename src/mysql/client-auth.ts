import { createPrivateKey, sign } from 'node:crypto'
import type { AuthPlugin, ConnectionOptions } from 'mysql2'
import { LandbridgeError } from '../base/errors.ts'
import type { SqlAddress } from './sql-connect.ts'

const ED25519_NONCE_BYTES = 32
const ED25519_SEED_BYTES = 32
/** PKCS #8 of an Ed25519 key (RFC 8410), up to its seed. */
const ED25519_PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Methods that a server may ask for and that are not done here. */
const REFUSED = [
  'auth_gssapi_client',
  'authentication_fido_client',
  'authentication_kerberos_client',
  'authentication_ldap_sasl_client',
  'authentication_openid_connect_client',
  'authentication_webauthn_client',
  'dialog',
  'mysql_clear_password',
  'mysql_old_password',
  'parsec',
]

/**
 * What the driver does not know by itself: MariaDB's ed25519, and a refusal by name for the rest.
 * An error of a plugin is handed to `onRefusal`, because the driver passes its text on, not itself.
 */
export function authPluginsFor(
  address: SqlAddress,
  onRefusal: (refusal: LandbridgeError) => void,
): NonNullable<ConnectionOptions['authPlugins']> {
  const refuse = (plugin: string, remedy: string): never => {
    const refusal = notDone(address, plugin, remedy)
    onRefusal(refusal)
    throw new Error(refusal.message)
  }
  const refusing = (plugin: string): AuthPlugin => {
    const remedy =
      'Create the user with caching_sha2_password (MySQL), mysql_native_password or ed25519 ' +
      '(MariaDB), or let it prove itself by a client certificate as well.'
    return () => () => refuse(plugin, remedy)
  }
  const ed25519: AuthPlugin = () => (nonce) =>
    signEd25519(address.password.reveal(), nonce) ?? refuse('client_ed25519', ED25519_REMEDY)
  return {
    ...Object.fromEntries(REFUSED.map((plugin) => [plugin, refusing(plugin)])),
    client_ed25519: ed25519,
  }
}

const ED25519_REMEDY =
  `Give the user a password of exactly ${ED25519_SEED_BYTES} bytes (as \`landbridge init\` ` +
  "makes): SET PASSWORD FOR ... = PASSWORD('...'); or use mysql_native_password."

/**
 * MariaDB's ed25519 takes the password where the standard (RFC 8032) has the private key, which it
 * hashes all the same. A key has 32 bytes, and Node signs with no other: so it works for passwords
 * of this length. Null for others.
 */
export function signEd25519(password: string, nonce: Buffer): Buffer | null {
  const seed = Buffer.from(password)
  if (seed.length !== ED25519_SEED_BYTES) return null
  const der = Buffer.concat([ED25519_PKCS8_HEAD, seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return sign(null, nonce.subarray(0, ED25519_NONCE_BYTES), key)
}

function notDone({ host, port, user }: SqlAddress, plugin: string, remedy: string) {
  return new LandbridgeError(
    'ERR_SQL_AUTHENTICATION',
    `the database at ${host}:${port} asks ${user} for ${plugin}, which cannot be answered`,
    { remedy, details: { host, port, user, plugin } },
  )
}
