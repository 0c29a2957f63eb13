import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { z } from 'zod'
import { isLoopback } from '../base/loopback.ts'
import type { Secret } from '../base/secret.ts'
import * as field from '../config/fields.ts'
import type { Problems } from '../config/problem.ts'
import type { ConfigFiles } from '../config/secret-file.ts'

/** How the database proves who it is before a password is sent; see mysql/sql-tls.ts. */
export interface DatabaseTlsConfig {
  readonly mode: 'verify-identity' | 'verify-ca' | 'pinned' | 'unverified' | 'off'
  /** Null: the authorities that Node trusts. */
  readonly caPem: string | null
  /** Of the public key that is pinned: `sha256:` and 64 hex digits. Null unless `pinned`. */
  readonly fingerprint: string | null
  /** For a database that asks for a certificate (REQUIRE X509). */
  readonly client: { readonly certificatePem: string; readonly privateKeyPem: Secret } | null
  /** With `off`, the password may go to another machine in a way that others can take it from. */
  readonly allowPasswordWithoutTls: boolean
}

export const databaseTlsSchema = field.mapping({
  mode: field.choice(['verify-identity', 'verify-ca', 'pinned', 'unverified', 'off']).optional(),
  ca: field.path.optional(),
  fingerprint: field.fingerprint.optional(),
  certificate: field.path.optional(),
  privateKey: field.path.optional(),
  allowPasswordWithoutTls: field.flag.default(false),
})

type Section = z.output<typeof databaseTlsSchema>

interface Context {
  readonly host: string
  readonly files: ConfigFiles
  readonly problems: Problems
}

/** The `tls` section of a database. Null after every problem in it has been added. */
export async function loadDatabaseTls(
  section: Section,
  where: string,
  context: Context,
): Promise<DatabaseTlsConfig | null> {
  const { fingerprint = null, allowPasswordWithoutTls } = section
  const mode = section.mode ?? (fingerprint === null ? 'verify-identity' : 'pinned')
  checkSettings(section, mode, where, context)
  const { files, problems } = context
  const caPem =
    section.ca === undefined ? null : await files.pem(`${where}.ca`, section.ca, 'CERTIFICATE')
  if (caPem !== null && toCertificate(caPem) === null) {
    problems.add(`${where}.ca`, 'the file holds no certificate that can be read')
  }
  const client = await loadClient(section, where, context)
  return { mode, caPem, fingerprint, client, allowPasswordWithoutTls }
}

/** A setting without effect is a mistake about what protects the password. */
function checkSettings(
  section: Section,
  mode: DatabaseTlsConfig['mode'],
  where: string,
  { host, problems }: Context,
): void {
  const { ca, fingerprint, certificate, allowPasswordWithoutTls } = section
  const useless = (key: string): void =>
    problems.add(`${where}.${key}`, `has no effect with mode ${mode}; remove one of them`)
  if (ca !== undefined && mode !== 'verify-identity' && mode !== 'verify-ca') useless('ca')
  if (fingerprint !== undefined && mode !== 'pinned') useless('fingerprint')
  if (certificate !== undefined && mode === 'off') useless('certificate')
  if (allowPasswordWithoutTls && mode !== 'off') useless('allowPasswordWithoutTls')
  if (mode === 'pinned' && fingerprint === undefined) {
    problems.add(
      `${where}.fingerprint`,
      'is missing; mode pinned needs it (`landbridge check` shows it with the default mode)',
    )
  }
  if (mode === 'off' && !allowPasswordWithoutTls && !isLoopback(host)) {
    problems.add(
      `${where}.mode`,
      `off would send the password to ${host} without TLS; take it out, or, only where nobody ` +
        'else can be on the path, say allowPasswordWithoutTls: true',
    )
  }
}

async function loadClient(
  { certificate, privateKey }: Section,
  where: string,
  { files, problems }: Context,
): Promise<DatabaseTlsConfig['client']> {
  if (certificate === undefined && privateKey === undefined) return null
  if (certificate === undefined || privateKey === undefined) {
    const missing = certificate === undefined ? 'certificate' : 'privateKey'
    problems.add(`${where}.${missing}`, 'is missing; certificate and privateKey go together')
    return null
  }
  const certificatePem = await files.pem(`${where}.certificate`, certificate, 'CERTIFICATE')
  const privateKeyPem = await files.secretPem(`${where}.privateKey`, privateKey)
  if (certificatePem === null || privateKeyPem === null) return null
  const parsed = toCertificate(certificatePem)
  if (parsed === null) {
    problems.add(`${where}.certificate`, 'the file holds no certificate that can be read')
    return null
  }
  if (!isKeyOf(parsed, privateKeyPem.reveal())) {
    problems.add(
      `${where}.privateKey`,
      'is not the key of this certificate, or has a passphrase, which is not supported',
    )
  }
  return { certificatePem, privateKeyPem }
}

function toCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

function isKeyOf(certificate: X509Certificate, keyPem: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}
