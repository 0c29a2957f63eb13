import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { describeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import type { Secret } from '../base/secret.ts'
import { wireguardPublicKey } from '../base/wireguard-key.ts'

/** The secret half of a gateway beside the public half that its peer file shows to the other. */
export interface IdentityFacts {
  /** The gateway's: the other one takes a certificate for this name only. */
  readonly name: string
  readonly wireguardPrivateKey: Secret
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  readonly authorityPem: string
  readonly wireguardPublicKey: string
  readonly certificateFingerprint: string
  readonly nowMs: number
}

export interface IdentityFinding {
  readonly severity: 'error' | 'warning'
  /** `match`: two parts are not of one identity. `time`: they are, but not now. */
  readonly about: 'match' | 'time'
  readonly message: string
  readonly remedy: string
}

const DAY_MS = 86_400_000
const RENEW = 'run `landbridge init --renew` and copy the new certificate'

/** Whether key, certificate, authority and peer file belong together. */
export function checkIdentity(facts: IdentityFacts): IdentityFinding[] {
  const findings: IdentityFinding[] = []
  const error = (message: string, remedy: string) =>
    findings.push({ severity: 'error', about: 'match', message, remedy })
  if (wireguardPublicKey(facts.wireguardPrivateKey) !== facts.wireguardPublicKey) {
    error(
      'the WireGuard key is not the one whose public half is in the peer file',
      'run `landbridge init` here and bring the new peer file to the other gateway',
    )
  }
  try {
    checkCertificate(facts, findings, error)
  } catch (cause) {
    error(`a certificate or its key cannot be read: ${describeError(cause)}`, RENEW)
  }
  return findings
}

function checkCertificate(
  facts: IdentityFacts,
  findings: IdentityFinding[],
  error: (message: string, remedy: string) => void,
): void {
  const certificate = new X509Certificate(facts.certificatePem)
  const authority = new X509Certificate(facts.authorityPem)
  const own = publicKeyFingerprint(createPublicKey(createPrivateKey(facts.privateKeyPem.reveal())))
  const shown = publicKeyFingerprint(certificate.publicKey)
  if (own !== shown) error('the certificate does not belong to the private key', RENEW)
  if (shown !== facts.certificateFingerprint) {
    error(
      `the certificate has the fingerprint ${shown}, the peer file another`,
      'run `landbridge init` here and bring the new peer file to the other gateway',
    )
  }
  if (!certificate.verify(authority.publicKey)) {
    error('the certificate was not signed by the authority', RENEW)
  }
  if (certificate.checkHost(facts.name, { subject: 'never' }) === undefined) {
    error(`the certificate is not for the name ${facts.name}`, RENEW)
  }
  findings.push(...timeFindings(certificate, facts.nowMs))
}

function timeFindings(certificate: X509Certificate, nowMs: number): IdentityFinding[] {
  const findings: IdentityFinding[] = []
  const add = (severity: IdentityFinding['severity'], message: string, remedy: string) =>
    findings.push({ severity, about: 'time', message, remedy })
  const daysLeft = Math.floor((certificate.validToDate.getTime() - nowMs) / DAY_MS)
  if (daysLeft < 0) add('error', `the certificate ended on ${certificate.validTo}`, RENEW)
  else if (daysLeft <= 30) {
    add('warning', `the certificate ends in ${daysLeft} days, on ${certificate.validTo}`, RENEW)
  }
  if (certificate.validFromDate.getTime() > nowMs) {
    const message = `the certificate begins only on ${certificate.validFrom}`
    add('error', message, "set this machine's clock")
  }
  return findings
}
