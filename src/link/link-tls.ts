import { X509Certificate } from 'node:crypto'
import { LandbridgeError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

export interface LinkTls {
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  /** The pair's own authority; no other is trusted. */
  readonly authorityPem: string
  /** What the peer file pins; compared with `fingerprintOf` the certificate that came. */
  readonly peerFingerprint: string
  readonly fingerprintOf: (certificate: X509Certificate) => string
}

/** On top of the chain to the pair's authority: it must be the peer's own key. */
export function checkPeerCertificate(tls: LinkTls, der: Buffer): LandbridgeError | undefined {
  const fingerprint = tls.fingerprintOf(new X509Certificate(der))
  if (fingerprint === tls.peerFingerprint) return undefined
  return new LandbridgeError(
    'ERR_LINK_FINGERPRINT',
    `the peer's certificate has ${fingerprint}, its peer file says ${tls.peerFingerprint}`,
    {
      retryable: true,
      remedy: 'Copy the peer’s current peer file to this gateway, or find out who answers there.',
    },
  )
}
