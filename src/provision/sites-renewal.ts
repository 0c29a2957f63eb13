import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import { Secret } from '../base/secret.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import { loadPeer } from '../config/peer-file.ts'
import { configError, Problems } from '../config/problem.ts'
import { type CertificateAndKey, signGatewayCertificate } from '../keys/certificates.ts'
import { PUBLIC_MODE } from '../keys/key-file.ts'
import { SetupFolder } from './setup-folder.ts'
import {
  chosenGateways,
  type GatewayPlan,
  type SetupGateway,
  type SetupReport,
  type SitesPlan,
} from './sites-plan.ts'

/**
 * Issues new certificates for the keys that the gateways have, and touches nothing else. Throws
 * ERR_USAGE before anything is written where a part is missing: a renewal that does nothing, or
 * that makes a key anew, would be found out on the day on which the old certificate ends.
 */
export async function renewSites(plan: SitesPlan): Promise<SetupReport> {
  const { directory, nowMs } = plan
  const folder = new SetupFolder(directory)
  const authority = await authorityOf(folder, directory)
  const signed: { readonly path: string; readonly pem: string }[] = []
  const renewed: SetupGateway[] = []
  for (const gateway of chosenGateways(plan)) {
    const { name } = gateway
    const publicKey = await publicKeyOf(folder, name)
    const peer = await pinnedPeer(directory, gateway, publicKey)
    const { address: tunnelAddress } = peer.tunnelAddress
    const pem = await signGatewayCertificate({ authority, name, tunnelAddress, publicKey, nowMs })
    signed.push({ path: join('certs', name, 'gateway.crt'), pem })
    const config = join('gateway', `${name}.yaml`)
    renewed.push({ ...peer, config, signed: true, elsewhere: false, file: null })
  }
  for (const { path, pem } of signed) {
    await replaceFile(join(directory, path), pem, { mode: PUBLIC_MODE })
  }
  const files = signed.map(({ path }) => ({ path, outcome: 'renewed' }) as const)
  return { files, gateways: renewed, ignored: [], peersMissing: [] }
}

async function authorityOf(folder: SetupFolder, directory: string): Promise<CertificateAndKey> {
  const [certificatePem, key] = await Promise.all(
    ['ca.crt', 'ca.key'].map((file) => folder.read(join('certs', file))),
  )
  if (!certificatePem || !key) {
    const missing = certificatePem ? 'certs/ca.key' : key ? 'certs/ca.crt' : 'certs/ca.key, ca.crt'
    throw nothingRenewed(
      `${missing} not found in ${directory}`,
      'run it where the authority of the sites is (or bring certs/ca.key back for the moment); ' +
        '--directory names the folder',
    )
  }
  if (!new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(key))) {
    throw nothingRenewed(
      'certs/ca.key is not the key of certs/ca.crt',
      'bring the two that were made together',
    )
  }
  return { certificatePem, privateKeyPem: new Secret(key) }
}

/** Of its private key, of the public half that it sent here, or of its certificate. */
async function publicKeyOf(folder: SetupFolder, name: string): Promise<KeyObject> {
  const at = (file: string) => folder.read(join('certs', name, file))
  const privatePem = await at('gateway.key')
  if (privatePem !== null) return createPublicKey(createPrivateKey(privatePem))
  const publicPem = await at('gateway.pub')
  if (publicPem !== null) return createPublicKey(publicPem)
  const certificatePem = await at('gateway.crt')
  if (certificatePem !== null) return new X509Certificate(certificatePem).publicKey
  throw nothingRenewed(
    `certs/${name} has neither gateway.crt nor gateway.pub nor gateway.key`,
    `bring certs/${name}/gateway.crt from ${name}, or name the sites: --sites ec2,azure`,
  )
}

/** What its peer file does not pin, its peers would refuse. */
async function pinnedPeer(
  directory: string,
  { name }: GatewayPlan,
  publicKey: KeyObject,
): Promise<PeerConfig> {
  const problems = new Problems()
  const peer = await loadPeer(join(directory, 'peers'), name, problems)
  if (peer === null) throw configError(join('peers', `${name}.yaml`), problems.list)
  if (peer.certificateFingerprint !== publicKeyFingerprint(publicKey)) {
    throw nothingRenewed(
      `the key in certs/${name} is not the one that peers/${name}.yaml pins`,
      `bring certs/${name}/gateway.crt and peers/${name}.yaml of gateway ${name}`,
    )
  }
  return peer
}

function nothingRenewed(reason: string, remedy: string): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', `nothing was renewed: ${reason}`, { remedy })
}
