import { X509Certificate } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { certificateFingerprint, publicKeyFingerprint } from '../../base/fingerprint.ts'
import type { Secret } from '../../base/secret.ts'

export interface OwnIdentity {
  readonly certificatePem: string
  readonly privateKeyPem: Secret
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Whose keys may look. A certificate that one of these has signed does not count: what is in the
 * file is who may come in.
 */
export class PageViewers {
  readonly #fingerprints: ReadonlySet<string>
  readonly #pem: string

  /** Throws what X509Certificate throws of a certificate that is none. */
  constructor(pem: string) {
    this.#pem = pem
    this.#fingerprints = new Set((pem.match(CERTIFICATE) ?? []).map(certificateFingerprint))
  }

  /** With the gateway's own certificate, as the link uses it. */
  tlsOptions({ certificatePem, privateKeyPem }: OwnIdentity): ServerOptions {
    return {
      key: privateKeyPem.reveal(),
      cert: certificatePem,
      ca: this.#pem,
      // A certificate may be in the file without who signed it.
      allowPartialTrustChain: true,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    }
  }

  admits(socket: Pick<TLSSocket, 'authorized' | 'getPeerX509Certificate'>): boolean {
    const certificate = socket.getPeerX509Certificate()
    if (!socket.authorized || certificate === undefined) return false
    return this.#fingerprints.has(publicKeyFingerprint(certificate.publicKey))
  }
}

/** Under which names a certificate may be asked for. */
export function namesOf(certificatePem: string): string[] {
  const { subjectAltName = '' } = new X509Certificate(certificatePem)
  return [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name]) => name ?? '')
}
