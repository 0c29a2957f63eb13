import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { certificateFingerprint } from '../../../src/base/fingerprint.ts'
import { generateWireguardKeyPair } from '../../../src/base/wireguard-key.ts'
import { createAuthority, issueGatewayCertificate } from '../../../src/keys/certificates.ts'
import { checkIdentity } from '../../../src/keys/identity-check.ts'

const nowMs = Date.now()
const authority = await createAuthority('ec2 and azure', nowMs)
const ec2 = await issueGatewayCertificate({
  authority,
  name: 'ec2',
  tunnelAddress: '10.77.0.1',
  nowMs,
})
const azure = await issueGatewayCertificate({
  authority,
  name: 'azure',
  tunnelAddress: '10.77.0.2',
  nowMs,
})

test('a gateway certificate names the gateway and its address, signed by the authority', () => {
  const certificate = new X509Certificate(ec2.certificatePem)
  expect(certificate.subject).toBe('CN=ec2')
  expect(certificate.subjectAltName).toBe('DNS:ec2, IP Address:10.77.0.1')
  expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true)
  expect(certificate.ca).toBe(false)
  expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
})

test('two gateways trust each other over TLS 1.3 with client certificates', async () => {
  const server = createServer({
    key: ec2.privateKeyPem.reveal(),
    cert: ec2.certificatePem,
    ca: authority.certificatePem,
    requestCert: true,
    minVersion: 'TLSv1.3',
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const client = connect({
    host: '127.0.0.1',
    port,
    servername: 'ec2',
    key: azure.privateKeyPem.reveal(),
    cert: azure.certificatePem,
    ca: authority.certificatePem,
  })
  try {
    await once(client, 'secureConnect')
    const [socket] = await accepted
    expect([client.authorized, socket.authorized]).toEqual([true, true])
    const seen = socket.getPeerX509Certificate()
    expect(certificateFingerprint(seen?.toString() ?? '')).toBe(
      certificateFingerprint(azure.certificatePem),
    )
    socket.destroy()
  } finally {
    client.destroy()
    server.close()
  }
})

test('a renewal keeps the key and so the pinned fingerprint', async () => {
  const renewed = await issueGatewayCertificate({
    authority,
    name: 'ec2',
    tunnelAddress: '10.77.0.1',
    nowMs: nowMs + 1000,
    privateKeyPem: ec2.privateKeyPem,
  })
  expect(renewed.certificatePem).not.toBe(ec2.certificatePem)
  expect(certificateFingerprint(renewed.certificatePem)).toBe(
    certificateFingerprint(ec2.certificatePem),
  )
})

test('finds what does not belong together, and what ends soon', () => {
  const keys = generateWireguardKeyPair()
  const facts = {
    name: 'ec2',
    wireguardPrivateKey: keys.privateKey,
    wireguardPublicKey: keys.publicKey,
    ...ec2,
    authorityPem: authority.certificatePem,
    certificateFingerprint: certificateFingerprint(ec2.certificatePem),
    nowMs,
  }
  expect(checkIdentity(facts)).toEqual([])
  const messages = (changes: Partial<typeof facts>) =>
    checkIdentity({ ...facts, ...changes }).map(({ message }) => message)
  expect(messages({ wireguardPublicKey: generateWireguardKeyPair().publicKey })).toEqual([
    'the WireGuard key is not the one whose public half is in the peer file',
  ])
  expect(messages({ name: 'azure' })).toEqual(['the certificate is not for the name azure'])
  expect(messages({ privateKeyPem: azure.privateKeyPem })).toEqual([
    'the certificate does not belong to the private key',
  ])
  expect(messages({ authorityPem: azure.certificatePem })).toEqual([
    'the certificate was not signed by the authority',
  ])
  expect(messages({ nowMs: nowMs + 800 * 86_400_000 })[0]).toMatch(
    /^the certificate ends in \d+ days/,
  )
  expect(messages({ nowMs: nowMs + 900 * 86_400_000 })[0]).toMatch(/^the certificate ended on /)
  expect(messages({ certificatePem: 'no certificate' })[0]).toMatch(
    /^a certificate or its key cannot/,
  )
})
