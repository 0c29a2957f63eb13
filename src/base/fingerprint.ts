import { createHash, type KeyObject, X509Certificate } from 'node:crypto'

/**
 * `sha256:` and the hex SHA-256 over the SubjectPublicKeyInfo DER. It stays the same when a
 * certificate is renewed with its key, so a renewal needs no change at the other gateway.
 */
export function publicKeyFingerprint(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}

export function certificateFingerprint(certificatePem: string | Buffer): string {
  return publicKeyFingerprint(new X509Certificate(certificatePem).publicKey)
}
