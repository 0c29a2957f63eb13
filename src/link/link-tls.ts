import { X509Certificate } from 'node:crypto'
import { LandbridgeError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { LinkPeer } from './link-session.ts'

export interface LinkTls {
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  /** The gateways' own authority; no other is trusted. */
  readonly authorityPem: string
  /** In the form in which a peer file pins it. */
  readonly fingerprintOf: (certificate: X509Certificate) => string
}

/**
 * On top of the chain to the authority: whose key it is, of the peers that may be there. Throws
 * ERR_LINK_FINGERPRINT when it is nobody's.
 */
export function peerOfCertificate<Peer extends Pick<LinkPeer, 'name' | 'certificateFingerprint'>>(
  tls: LinkTls,
  der: Buffer,
  peers: readonly Peer[],
): Peer {
  const fingerprint = tls.fingerprintOf(new X509Certificate(der))
  const found = peers.find((peer) => peer.certificateFingerprint === fingerprint)
  if (found !== undefined) return found
  const pinned = peers.map((peer) => `${peer.name} ${peer.certificateFingerprint}`).join(', ')
  throw new LandbridgeError(
    'ERR_LINK_FINGERPRINT',
    `the peer's certificate has ${fingerprint}, the peer files say: ${pinned}`,
    {
      retryable: true,
      remedy: 'Copy the peer’s current peer file to this gateway, or find out who answers there.',
    },
  )
}
