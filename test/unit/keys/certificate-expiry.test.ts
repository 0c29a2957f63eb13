import { expect, test } from 'vitest'
import { CertificateExpiry } from '../../../src/keys/certificate-expiry.ts'
import { createAuthority, issueGatewayCertificate } from '../../../src/keys/certificates.ts'

const DAY_MS = 86_400_000
const nowMs = Date.UTC(2026, 10, 22)

test('tells 30, 7 and 1 days before the end, each with its own time since when', async () => {
  const authority = await createAuthority('pair', nowMs)
  const tunnelAddress = '10.77.0.1'
  const gateway = await issueGatewayCertificate({ authority, name: 'ec2', tunnelAddress, nowMs })
  const expiry = new CertificateExpiry({
    certificatePem: gateway.certificatePem,
    authorityPem: authority.certificatePem,
  })
  const endMs = nowMs + 825 * DAY_MS
  const at = (daysLeft: number) => expiry.problems({ nowMs: endMs - daysLeft * DAY_MS })
  expect(at(31)).toEqual([])
  expect(at(29.5)).toMatchObject([
    {
      code: 'ERR_CERTIFICATE_EXPIRY',
      severity: 'warning',
      where: 'identity',
      message: expect.stringMatching(/^the certificate of this gateway ends in 30 days or less/),
      remedy: expect.stringContaining('init --renew'),
      sinceMs: endMs - 30 * DAY_MS,
    },
  ])
  expect(at(6)).toMatchObject([{ severity: 'warning', sinceMs: endMs - 7 * DAY_MS }])
  expect(at(0.5)).toMatchObject([{ severity: 'error', sinceMs: endMs - DAY_MS }])
  expect(at(-1)).toMatchObject([
    { severity: 'error', message: expect.stringMatching(/ ended on /), sinceMs: endMs },
  ])
  expect(expiry.problems({ nowMs: nowMs + 3630 * DAY_MS })).toHaveLength(2)
})
