import { configError } from '../../config/problem.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { checkIdentity, type IdentityFinding } from '../../keys/identity-check.ts'
import type { CheckFinding } from './check-list.ts'

/** Whether key, certificate, authority and peer file belong together. */
export async function checkAuthorities(config: GatewayConfig): Promise<CheckFinding[]> {
  const findings = findingsOf(config, Date.now())
  if (findings.length === 0) {
    return [{ severity: 'ok', message: 'keys, certificate and peer file belong together' }]
  }
  return findings.map(({ severity, message, remedy }) => ({ severity, message, remedy }))
}

/**
 * A gateway must not start with halves of two identities: its peer would only refuse it. One whose
 * time is over may start, since its relay still serves; the status tells. Throws ERR_CONFIG.
 */
export function requireIdentity(config: GatewayConfig, nowMs: number): void {
  const wrong = findingsOf(config, nowMs).filter(
    ({ severity, about }) => severity === 'error' && about === 'match',
  )
  if (wrong.length === 0) return
  const problems = wrong.map(({ message, remedy }) => ({
    path: 'identity',
    message: `${message}; ${remedy}`,
  }))
  throw configError(config.path, problems)
}

function findingsOf({ name, identity, self }: GatewayConfig, nowMs: number): IdentityFinding[] {
  return checkIdentity({
    name,
    wireguardPrivateKey: identity.wireguardPrivateKey,
    certificatePem: identity.certificatePem,
    privateKeyPem: identity.privateKeyPem,
    authorityPem: identity.authorityPem,
    wireguardPublicKey: self.wireguardPublicKey,
    certificateFingerprint: self.certificateFingerprint,
    nowMs,
  })
}
