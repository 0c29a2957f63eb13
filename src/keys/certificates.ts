// First, because the library below needs it in place when it is loaded.
import 'reflect-metadata'
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  webcrypto,
} from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { Secret } from '../base/secret.ts'

/*
 * One authority per gateway pair, which signs two certificates and nothing else. EC P-256
 * throughout. Trust rests on the fingerprint pinned in the peer file; the authority is what lets a
 * certificate be renewed without touching the other gateway.
 */

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 3650
const GATEWAY_DAYS = 825
/** Certificates begin a little in the past: clocks of two clouds are never quite the same. */
const BACKDATE_MS = 3_600_000

export interface CertificateAndKey {
  readonly certificatePem: string
  readonly privateKeyPem: Secret
}

export interface GatewayCertificateOptions {
  readonly authority: CertificateAndKey
  readonly name: string
  /** Becomes a subject alternative name, since the link is dialed by this address. */
  readonly tunnelAddress: string
  readonly nowMs: number
  /** Given for a renewal: the key, and with it the pinned fingerprint, stays. */
  readonly privateKeyPem?: Secret
}

export async function createAuthority(name: string, nowMs: number): Promise<CertificateAndKey> {
  const privateKeyPem = await generatePrivateKey()
  const keys = await importKeys(privateKeyPem)
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    serialNumber: serialNumber(),
    keys,
    signingAlgorithm: ALGORITHM,
    ...lifetime(nowMs, AUTHORITY_DAYS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: pemFile(certificate), privateKeyPem }
}

export async function issueGatewayCertificate(
  options: GatewayCertificateOptions,
): Promise<CertificateAndKey> {
  const privateKeyPem = options.privateKeyPem ?? (await generatePrivateKey())
  const publicKey = createPublicKey(createPrivateKey(privateKeyPem.reveal()))
  return { certificatePem: await signGatewayCertificate({ ...options, publicKey }), privateKeyPem }
}

/** The certificate for a key whose private half need not be on this machine. */
export async function signGatewayCertificate(
  options: Omit<GatewayCertificateOptions, 'privateKeyPem'> & { readonly publicKey: KeyObject },
): Promise<string> {
  const spki = options.publicKey.export({ type: 'spki', format: 'der' })
  const publicKey = await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify'])
  const issuer = new X509Certificate(options.authority.certificatePem)
  const authorityKeys = await importKeys(options.authority.privateKeyPem)
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${options.name}`,
    issuer: issuer.subject,
    serialNumber: serialNumber(),
    publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...lifetime(options.nowMs, GATEWAY_DAYS),
    extensions: await gatewayExtensions(options, publicKey, authorityKeys.publicKey),
  })
  return pemFile(certificate)
}

async function gatewayExtensions(
  { name, tunnelAddress }: Pick<GatewayCertificateOptions, 'name' | 'tunnelAddress'>,
  publicKey: webcrypto.CryptoKey,
  authorityKey: webcrypto.CryptoKey,
): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    // Both roles: at one site the gateway listens, at the other it dials.
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([
      { type: 'dns', value: name },
      { type: 'ip', value: tunnelAddress },
    ]),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await AuthorityKeyIdentifierExtension.create(authorityKey),
  ]
}

export async function generatePrivateKey(): Promise<Secret> {
  const { privateKey } = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey))
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString())
}

async function importKeys(privateKeyPem: Secret): Promise<webcrypto.CryptoKeyPair> {
  const privateKey = createPrivateKey(privateKeyPem.reveal())
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
  }
}

function lifetime(nowMs: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(nowMs + days * DAY_MS) }
}

/** 16 random bytes with a first one of 01 to 7f: positive, and without a leading zero. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 1, 0)
  return bytes.toString('hex')
}

function pemFile(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`
}
