import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { certificateFingerprint, publicKeyFingerprint } from '../base/fingerprint.ts'
import { Secret } from '../base/secret.ts'
import { generateWireguardKeyPair, wireguardPublicKey } from '../base/wireguard-key.ts'
import type { SubnetAddress } from '../config/address.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import {
  type CertificateAndKey,
  createAuthority,
  generatePrivateKey,
  signGatewayCertificate,
} from '../keys/certificates.ts'
import type { SetupFolder } from './setup-folder.ts'
import type { IdentitiesPlan } from './sites-plan.ts'

/** Made on the machine that makes all gateways; on a gateway itself it is brought or absent. */
export async function setUpAuthority(
  folder: SetupFolder,
  { gateways, only, nowMs }: IdentitiesPlan,
): Promise<CertificateAndKey | null> {
  const certificatePath = join('certs', 'ca.crt')
  const keyPath = join('certs', 'ca.key')
  const certificatePem = await folder.read(certificatePath)
  const key = await folder.read(keyPath)
  if (certificatePem !== null) folder.note(certificatePath, 'kept')
  if (certificatePem !== null && key !== null) {
    folder.note(keyPath, 'kept')
    return { certificatePem, privateKeyPem: new Secret(key) }
  }
  if (certificatePem !== null || key !== null || only !== null) return null
  const names = gateways.map(({ name }) => name).join(' ')
  // A subject's name has 64 characters at most.
  const made = await createAuthority(`landbridge ${names}`.slice(0, 64).trimEnd(), nowMs)
  await folder.secret(keyPath, made.privateKeyPem)
  await folder.public(certificatePath, made.certificatePem)
  return made
}

/** Of its private key, or as its peer file says where that is on another machine. */
export async function setUpWireguardKey(
  folder: SetupFolder,
  name: string,
  oldPeer: PeerConfig | null,
): Promise<string> {
  const path = join('certs', name, 'wireguard.key')
  const old = await folder.read(path)
  if (old !== null) {
    folder.note(path, 'kept')
    return wireguardPublicKey(new Secret(old))
  }
  if ((await isElsewhere(folder, name)) && oldPeer !== null) return oldPeer.wireguardPublicKey
  const made = generateWireguardKeyPair()
  await folder.secret(path, made.privateKey)
  return made.publicKey
}

export async function setUpTlsKey(folder: SetupFolder, name: string): Promise<KeyObject> {
  const path = join('certs', name, 'gateway.key')
  const elsewhere = await folder.read(join('certs', name, 'gateway.pub'))
  const old = await folder.read(path)
  if (old === null && elsewhere !== null) return createPublicKey(elsewhere)
  const privateKeyPem = old === null ? await generatePrivateKey() : new Secret(old)
  if (old === null) await folder.secret(path, privateKeyPem)
  else folder.note(path, 'kept')
  return createPublicKey(createPrivateKey(privateKeyPem.reveal()))
}

export interface CertificateWish {
  readonly name: string
  readonly tunnelAddress: SubnetAddress
  readonly publicKey: KeyObject
  /** Null: it is on another machine. */
  readonly authority: CertificateAndKey | null
  readonly nowMs: number
}

/** False when only its public key could be written, to be signed elsewhere. */
export async function setUpCertificate(
  folder: SetupFolder,
  wish: CertificateWish,
): Promise<boolean> {
  const { name, publicKey, authority, nowMs } = wish
  const path = join('certs', name, 'gateway.crt')
  const old = await folder.read(path)
  if (old !== null && certificateFingerprint(old) === publicKeyFingerprint(publicKey)) {
    folder.note(path, 'kept')
    return true
  }
  if (authority === null) {
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    await folder.public(join('certs', name, 'gateway.pub'), pem)
    return false
  }
  const tunnelAddress = wish.tunnelAddress.address
  const options = { authority, name, tunnelAddress, publicKey, nowMs }
  await folder.replace(path, old, await signGatewayCertificate(options))
  return true
}

/** Whether it made its keys itself, on its own machine. */
export async function isElsewhere(folder: SetupFolder, name: string): Promise<boolean> {
  const key = await folder.read(join('certs', name, 'gateway.key'))
  return key === null && (await folder.read(join('certs', name, 'gateway.pub'))) !== null
}
