import { X509Certificate } from 'node:crypto'
import type { ServerOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Secret } from '../../base/secret.ts'

export interface OwnIdentity {
  readonly certificatePem: string
  readonly privateKeyPem: Secret
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Who may look: whoever has the key of one of these certificates, whoever signed it. No authority
 * is asked: that one is in the file is what lets it in. The handshake proves that the key is there.
 */
export class PageViewers {
  readonly #certificates: ReadonlySet<string>

  /** Throws what X509Certificate throws of a certificate that is none. */
  constructor(pem: string) {
    const certificates = (pem.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one))
    this.#certificates = new Set(certificates.map(({ fingerprint256 }) => fingerprint256))
  }

  /** With the gateway's own certificate, as the link uses it. */
  tlsOptions({ certificatePem, privateKeyPem }: OwnIdentity): ServerOptions {
    return {
      key: privateKeyPem.reveal(),
      cert: certificatePem,
      requestCert: true,
      // Else only authorities would count. `admits` decides, before a request is read.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    }
  }

  admits(socket: Pick<TLSSocket, 'getPeerX509Certificate'>, nowMs: number): boolean {
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined || !this.#certificates.has(certificate.fingerprint256))
      return false
    const { validFromDate, validToDate } = certificate
    return validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime()
  }
}

/** Under which names a certificate may be asked for. */
export function namesOf(certificatePem: string): string[] {
  const { subjectAltName = '' } = new X509Certificate(certificatePem)
  return [...subjectAltName.matchAll(/(?:DNS|IP Address):([^,\s]+)/g)].map(([, name]) => name ?? '')
}
