import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../../base/atomic-file.ts'
import { Secret } from '../../base/secret.ts'
import { createAuthority, issueGatewayCertificate } from '../../keys/certificates.ts'
import type { LabPaths } from '../lab-paths.ts'
import { addressesOf } from '../lab-sites.ts'
import type { GatewayRecord } from '../lab-state.ts'
import type { CertificateFlaw } from './fault.ts'

const YEARS_3_MS = 3 * 365 * 86_400_000

/** Puts a certificate in place that the peer must refuse. Returns what puts the good one back. */
export async function spoilCertificate(
  paths: LabPaths,
  { name, site }: GatewayRecord,
  flaw: CertificateFlaw,
): Promise<() => Promise<void>> {
  const certs = join(paths.dataDirectory, 'certs')
  const path = join(certs, name, 'gateway.crt')
  const secret = async (...parts: string[]) =>
    new Secret(await readFile(join(certs, ...parts), 'utf8'))
  const good = await readFile(path, 'utf8')
  const nowMs = Date.now()
  const own = {
    certificatePem: await readFile(join(certs, 'ca.crt'), 'utf8'),
    privateKeyPem: await secret('ca.key'),
  }
  const { certificatePem } = await issueGatewayCertificate({
    authority: flaw === 'expired' ? own : await createAuthority('a stranger', nowMs),
    name,
    tunnelAddress: addressesOf(site).tunnel,
    nowMs: flaw === 'expired' ? nowMs - YEARS_3_MS : nowMs,
    privateKeyPem: await secret(name, 'gateway.key'),
  })
  await replaceFile(path, certificatePem, { mode: 0o644 })
  return () => replaceFile(path, good, { mode: 0o644 })
}
