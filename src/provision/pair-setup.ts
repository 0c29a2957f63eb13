import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import { certificateFingerprint, publicKeyFingerprint } from '../base/fingerprint.ts'
import { Secret } from '../base/secret.ts'
import { generateWireguardKeyPair, wireguardPublicKey } from '../base/wireguard-key.ts'
import { formatHostPort } from '../config/address.ts'
import type { HostPort, PeerConfig, Site, SubnetAddress } from '../config/config.ts'
import { loadPeer } from '../config/peer-file.ts'
import { configError, Problems } from '../config/problem.ts'
import { mtuFor } from '../config/tunnel-mtu.ts'
import {
  type CertificateAndKey,
  createAuthority,
  generatePrivateKey,
  signGatewayCertificate,
} from '../keys/certificates.ts'
import { PUBLIC_MODE, writePublicFile, writeSecretFile } from '../keys/key-file.ts'
import { foundPair } from './found-pair.ts'
import { type GatewayFileFacts, gatewayFileFacts } from './gateway-file-facts.ts'
import { gatewayFile, peerFile } from './template.ts'

export interface GatewayPlan {
  readonly name: string
  readonly site: Site
  /** Null: keep what the peer file has. */
  readonly endpoint: HostPort | null
  readonly tunnelAddress: SubnetAddress
}

export interface PairPlan {
  /** Folder that holds gateway/, peers/ and certs/. */
  readonly directory: string
  readonly production: GatewayPlan
  readonly dr: GatewayPlan
  /** Which gateways' files are made: both on a workstation, one on a gateway itself. */
  readonly only: string | null
  readonly renew: boolean
  readonly dataDir: string
  readonly credentials: boolean
  readonly externalTunnel: boolean
  /** Nobody chose the addresses inside the tunnel: of a VPN they are hardly these. */
  readonly tunnelIsExample: boolean
  readonly linkPort: number
  /** Null: nobody named one, and the file gets an address that must be replaced. */
  readonly source: HostPort | null
  readonly sourceUser: string
  readonly relayListen: HostPort
  readonly relayUser: string
  /** Files with the authorities of the databases' certificates; null: none was named. */
  readonly sourceCa: string | null
  readonly replicaCa: string | null
  /** What was asked for by a flag, as the line of the gateway file that it makes. */
  readonly given: readonly { readonly flag: string; readonly line: string }[]
  readonly nowMs: number
}

export interface IgnoredSetting {
  readonly flag: string
  readonly line: string
  /** The file that was kept without it. */
  readonly path: string
}

const DEFAULT_PORT = 51_820
/** In the file where nobody named a source. */
export const EXAMPLE_SOURCE: HostPort = { host: '198.51.100.10', port: 3306 }

export type Outcome = 'created' | 'kept' | 'updated' | 'renewed'

export interface SetupFile {
  readonly path: string
  readonly outcome: Outcome
}

export interface SetupGateway {
  readonly name: string
  readonly site: Site
  readonly config: string
  readonly wireguardPublicKey: string
  readonly certificateFingerprint: string
  /** False: the pair's authority is on another machine, which has to sign this key. */
  readonly signed: boolean
  /** True: its private keys are on its own machine, and this one only signs. */
  readonly elsewhere: boolean
  readonly tunnelAddress: SubnetAddress
  readonly endpoints: readonly HostPort[]
  /** Null: its configuration is on its own machine. */
  readonly file: GatewayFileFacts | null
}

export interface SetupReport {
  readonly files: readonly SetupFile[]
  readonly gateways: readonly SetupGateway[]
  readonly ignored: readonly IgnoredSetting[]
  /** Gateways whose peer file is still to come. */
  readonly peersMissing: readonly string[]
}

/**
 * Makes what is missing of a pair's files and keeps what is there, so that it can be repeated at
 * any time. A gateway whose private key is on another machine is known by certs/NAME/gateway.pub.
 */
export async function setUpPair(plan: PairPlan): Promise<SetupReport> {
  const files: SetupFile[] = []
  const setup = new PairSetup(plan, files)
  await setup.demandEndpoint()
  const gateways: SetupGateway[] = []
  for (const gateway of [plan.production, plan.dr]) {
    if (plan.only !== null && plan.only !== gateway.name) continue
    gateways.push(await setup.gateway(gateway))
  }
  return { files, gateways, ignored: setup.ignored, peersMissing: await setup.peersMissing() }
}

class PairSetup {
  readonly #plan: PairPlan
  readonly #files: SetupFile[]
  readonly #ignored: IgnoredSetting[] = []

  constructor(plan: PairPlan, files: SetupFile[]) {
    this.#plan = plan
    this.#files = files
  }

  get ignored(): readonly IgnoredSetting[] {
    return this.#ignored
  }

  /** Without any endpoint the pair could never meet: say so before making anything. */
  async demandEndpoint(): Promise<void> {
    const { production, dr, only, externalTunnel } = this.#plan
    if (only !== null || externalTunnel || production.endpoint !== null || dr.endpoint !== null) {
      return
    }
    if ((await this.peersMissing()).length < 2) return
    const pair = `${production.name},${dr.name}`
    const found = await foundPair(this.#plan.directory)
    if (found !== null && found !== pair) {
      throw new LandbridgeError('ERR_USAGE', `peers/ has the pair ${found}, and none of ${pair}`, {
        remedy: `write --pair ${found}, or name another --directory`,
      })
    }
    throw new LandbridgeError('ERR_USAGE', 'no gateway has an address that the other can reach', {
      remedy: 'add --production-endpoint HOST:PORT, --dr-endpoint HOST:PORT or --external-tunnel',
    })
  }

  async peersMissing(): Promise<string[]> {
    const missing: string[] = []
    for (const { name } of [this.#plan.production, this.#plan.dr]) {
      if ((await this.#read(join('peers', `${name}.yaml`))) === null) missing.push(name)
    }
    return missing
  }

  async gateway(gateway: GatewayPlan): Promise<SetupGateway> {
    const { name, site } = gateway
    const authority = await this.#authority()
    const oldPeer = await this.#readPeer(name)
    const publicKey = await this.#tlsKey(name)
    const wireguard = await this.#wireguardKey(name, oldPeer)
    const tunnelAddress = oldPeer?.tunnelAddress ?? gateway.tunnelAddress
    const signed = await this.#certificate(name, tunnelAddress, publicKey, authority)
    await this.#peerFile(gateway, oldPeer, {
      name,
      site,
      wireguardPublicKey: wireguard,
      endpoints: gateway.endpoint === null ? [] : [gateway.endpoint],
      tunnelAddress,
      linkPort: this.#plan.linkPort,
      certificateFingerprint: publicKeyFingerprint(publicKey),
    })
    const config = join('gateway', `${name}.yaml`)
    // A gateway that made its own keys has its own password and configuration too.
    const elsewhere = await this.#isElsewhere(name)
    if (!elsewhere) await this.#ownFiles(gateway, oldPeer, config)
    const text = elsewhere ? null : await this.#read(config)
    return {
      name,
      site,
      config,
      wireguardPublicKey: wireguard,
      certificateFingerprint: publicKeyFingerprint(publicKey),
      signed,
      elsewhere,
      tunnelAddress,
      endpoints: gateway.endpoint === null ? (oldPeer?.endpoints ?? []) : [gateway.endpoint],
      file: text === null ? null : gatewayFileFacts(text),
    }
  }

  /** Password, authority of the database, configuration. */
  async #ownFiles(gateway: GatewayPlan, oldPeer: PeerConfig | null, path: string): Promise<void> {
    const { name, site } = gateway
    await this.#password(name, site === 'production' ? 'source.password' : 'relay.password')
    const file = gatewayFile({
      ...this.#plan,
      ...{ name, site },
      peer: site === 'production' ? this.#plan.dr.name : this.#plan.production.name,
      listenPort: (gateway.endpoint ?? oldPeer?.endpoints[0])?.port ?? DEFAULT_PORT,
      mtuBytes: mtuFor(await this.#endpoints()),
      source: this.#plan.source ?? EXAMPLE_SOURCE,
      hasSourceCa: await this.#databaseAuthority(gateway, 'production', 'source-ca.crt'),
      hasReplicaCa: await this.#databaseAuthority(gateway, 'dr', 'replica-ca.crt'),
    })
    await this.#gatewayFile(path, file)
  }

  /** Made on the machine that makes both gateways; on a gateway itself it is brought or absent. */
  async #authority(): Promise<CertificateAndKey | null> {
    const certificatePath = join('certs', 'ca.crt')
    const keyPath = join('certs', 'ca.key')
    const certificatePem = await this.#read(certificatePath)
    const key = await this.#read(keyPath)
    if (certificatePem !== null) this.#note(certificatePath, 'kept')
    if (certificatePem !== null && key !== null) {
      this.#note(keyPath, 'kept')
      return { certificatePem, privateKeyPem: new Secret(key) }
    }
    if (certificatePem !== null || key !== null || this.#plan.only !== null) return null
    const { production, dr, nowMs } = this.#plan
    const made = await createAuthority(`landbridge ${production.name} ${dr.name}`, nowMs)
    await this.#secret(keyPath, made.privateKeyPem)
    await this.#public(certificatePath, made.certificatePem)
    return made
  }

  async #wireguardKey(name: string, oldPeer: PeerConfig | null): Promise<string> {
    const path = join('certs', name, 'wireguard.key')
    const old = await this.#read(path)
    if (old !== null) {
      this.#note(path, 'kept')
      return wireguardPublicKey(new Secret(old))
    }
    if ((await this.#isElsewhere(name)) && oldPeer !== null) return oldPeer.wireguardPublicKey
    const made = generateWireguardKeyPair()
    await this.#secret(path, made.privateKey)
    return made.publicKey
  }

  async #tlsKey(name: string): Promise<KeyObject> {
    const path = join('certs', name, 'gateway.key')
    const elsewhere = await this.#read(join('certs', name, 'gateway.pub'))
    const old = await this.#read(path)
    if (old === null && elsewhere !== null) return createPublicKey(elsewhere)
    const privateKeyPem = old === null ? await generatePrivateKey() : new Secret(old)
    if (old === null) await this.#secret(path, privateKeyPem)
    else this.#note(path, 'kept')
    return createPublicKey(createPrivateKey(privateKeyPem.reveal()))
  }

  async #certificate(
    name: string,
    tunnelAddress: SubnetAddress,
    publicKey: KeyObject,
    authority: CertificateAndKey | null,
  ): Promise<boolean> {
    const path = join('certs', name, 'gateway.crt')
    const old = await this.#read(path)
    const fits = old !== null && certificateFingerprint(old) === publicKeyFingerprint(publicKey)
    if (fits) {
      this.#note(path, 'kept')
      return true
    }
    if (authority === null) {
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
      await this.#public(join('certs', name, 'gateway.pub'), pem)
      return false
    }
    const certificatePem = await signGatewayCertificate({
      authority,
      name,
      tunnelAddress: tunnelAddress.address,
      publicKey,
      nowMs: this.#plan.nowMs,
    })
    await replaceFile(this.#at(path), certificatePem, { mode: PUBLIC_MODE })
    this.#note(path, old === null ? 'created' : 'updated')
    return true
  }

  async #peerFile(
    plan: GatewayPlan,
    old: PeerConfig | null,
    wanted: Omit<PeerConfig, 'path'>,
  ): Promise<void> {
    const path = join('peers', `${wanted.name}.yaml`)
    if (old === null) return this.#public(path, peerFile(wanted))
    // In place, so that comments and settings that people added stay.
    const document = parseDocument((await this.#read(path)) ?? '')
    const before = document.toString()
    document.set('wireguardPublicKey', wanted.wireguardPublicKey)
    document.set('certificateFingerprint', wanted.certificateFingerprint)
    if (plan.endpoint !== null) document.set('endpoints', [formatHostPort(plan.endpoint)])
    const after = document.toString()
    if (after !== before) await replaceFile(this.#at(path), after, { mode: PUBLIC_MODE })
    this.#note(path, after === before ? 'kept' : 'updated')
  }

  /** A kept file is a person's: what would be written otherwise is told, not done. */
  async #gatewayFile(path: string, content: string): Promise<void> {
    const old = await this.#read(path)
    await this.#public(path, content)
    if (old === null) return
    for (const { flag, line } of this.#plan.given) {
      if (content.includes(line) && !old.includes(line)) this.#ignored.push({ flag, line, path })
    }
  }

  /** Copies the file that was named for the database of this site; whether there is one now. */
  async #databaseAuthority(gateway: GatewayPlan, site: Site, file: string): Promise<boolean> {
    if (gateway.site !== site) return false
    const { sourceCa, replicaCa } = this.#plan
    const given = site === 'production' ? sourceCa : replicaCa
    const path = join('certs', gateway.name, file)
    const old = await this.#read(path)
    if (given === null) {
      if (old !== null) this.#note(path, 'kept')
      return old !== null
    }
    const pem = await readAuthority(given)
    if (old !== pem) await replaceFile(this.#at(path), pem, { mode: PUBLIC_MODE })
    this.#note(path, old === null ? 'created' : old === pem ? 'kept' : 'updated')
    return true
  }

  async #password(name: string, file: string): Promise<void> {
    await this.#secret(join('certs', name, file), new Secret(randomBytes(24).toString('base64url')))
  }

  /** Of both gateways: what is planned, else what the peer files have. */
  async #endpoints(): Promise<HostPort[]> {
    const all: HostPort[] = []
    for (const { name, endpoint } of [this.#plan.production, this.#plan.dr]) {
      if (endpoint !== null) all.push(endpoint)
      else all.push(...((await this.#readPeer(name))?.endpoints ?? []))
    }
    return all
  }

  async #readPeer(name: string): Promise<PeerConfig | null> {
    const path = join('peers', `${name}.yaml`)
    if ((await this.#read(path)) === null) return null
    const problems = new Problems()
    const peer = await loadPeer(this.#at('peers'), name, problems)
    if (problems.list.length > 0) throw configError(path, problems.list)
    const { production, dr } = this.#plan
    const site = name === production.name ? production.site : dr.site
    if (peer === null || peer.site === site) return peer
    throw new LandbridgeError('ERR_USAGE', `${path} is of site ${peer.site}, not of ${site}`, {
      remedy: 'name the production gateway first: --pair PRODUCTION,DR',
    })
  }

  async #isElsewhere(name: string): Promise<boolean> {
    const key = await this.#read(join('certs', name, 'gateway.key'))
    return key === null && (await this.#read(join('certs', name, 'gateway.pub'))) !== null
  }

  async #secret(path: string, content: Secret): Promise<void> {
    const created = await writeSecretFile(this.#at(path), content)
    this.#note(path, created ? 'created' : 'kept')
  }

  async #public(path: string, content: string): Promise<void> {
    const created = await writePublicFile(this.#at(path), content)
    this.#note(path, created ? 'created' : 'kept')
  }

  async #read(path: string): Promise<string | null> {
    return (await readFile(this.#at(path), 'utf8').catch(ignoreMissing)) ?? null
  }

  #at(path: string): string {
    return join(this.#plan.directory, path)
  }

  #note(path: string, outcome: Outcome): void {
    if (!this.#files.some((file) => file.path === path)) this.#files.push({ path, outcome })
  }
}

async function readAuthority(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8')
    new X509Certificate(pem)
    return pem
  } catch (cause) {
    throw new LandbridgeError('ERR_USAGE', `${path} is no certificate that can be read`, {
      cause,
      remedy: 'name the PEM file of the authority that signed the database’s certificate',
    })
  }
}
