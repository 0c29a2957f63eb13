import { isLandbridgeError } from '../../base/errors.ts'
import { isLoopback } from '../../base/loopback.ts'
import { formatHostPort } from '../../config/address.ts'
import type { DatabaseConfig } from '../../database/database-section.ts'
import { presentedCertificate } from '../../mysql/presented-certificate.ts'
import type { CheckFinding } from './check-list.ts'

/** What the chosen mode leaves open to somebody on the path, although the login works. */
export function tlsFindings(database: DatabaseConfig, section: string): CheckFinding[] {
  const { host, tls } = database
  const where = formatHostPort(database)
  const remedy =
    `${section}: { tls: { ca: FILE } }, or with the fingerprint of its key; see ` +
    '"TLS to the databases" in gateway/README.md'
  if (tls.mode === 'unverified') {
    const message = `whoever answers at ${where} is believed, and gets the password`
    return [{ severity: 'warning', message, remedy }]
  }
  if (tls.mode === 'off' && !isLoopback(host)) {
    const message = `the password goes to ${where} without TLS: the network can read it`
    return [{ severity: 'warning', message, remedy }]
  }
  return []
}

/**
 * After a refused login: the certificate that was shown, with the line that pins its key. A person
 * compares it with the server's own, or somebody in between would be pinned for good.
 */
export async function presentedFindings(
  database: DatabaseConfig,
  error: unknown,
  signal: AbortSignal,
): Promise<CheckFinding[]> {
  if (!isLandbridgeError(error) || error.code !== 'ERR_SQL_TLS') return []
  // The same check also logs in at the relay.
  if (error.details.host !== database.host || error.details.port !== database.port) return []
  const shown = await presentedCertificate(database, signal)
  if (shown === null) return []
  const { fingerprint, subject, issuer, validTo } = shown
  return [
    {
      severity: 'warning',
      message:
        `what answers at ${formatHostPort(database)} shows a certificate of ${subject}, signed ` +
        `by ${issuer}, until ${validTo}; its key is ${fingerprint}`,
      remedy:
        'if the database server itself says the same (openssl x509 -noout -pubkey -in ' +
        'server-cert.pem | openssl pkey -pubin -outform der | sha256sum): ' +
        `tls: { fingerprint: "${fingerprint}" }`,
    },
  ]
}
