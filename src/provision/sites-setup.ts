import { randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LandbridgeError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { gatewayFileFacts } from './gateway-file-facts.ts'
import { isElsewhere } from './gateway-keys.ts'
import { type GatewayIdentity, type Identities, setUpIdentities } from './identities-setup.ts'
import type { SetupFolder } from './setup-folder.ts'
import {
  chosenGateways,
  type GatewayPlan,
  type IgnoredSetting,
  otherGateways,
  type SetupGateway,
  type SetupReport,
  type SitesPlan,
} from './sites-plan.ts'
import { gatewayFile, peersSetting } from './template.ts'

const DEFAULT_PORT = 51_820

/**
 * Makes what is missing of the sites' files and keeps what is there, so that it can be repeated at
 * any time. Throws as `setUpIdentities` does.
 */
export async function setUpSites(plan: SitesPlan): Promise<SetupReport> {
  const identities = await setUpIdentities(plan)
  const { folder, made, peersMissing } = identities
  const setup = new SitesSetup(plan, identities)
  const gateways: SetupGateway[] = []
  for (const gateway of chosenGateways(plan)) {
    const identity = made.find(({ name }) => name === gateway.name)
    if (identity === undefined) throw new TypeError(`${gateway.name} has no identity`)
    gateways.push(await setup.gateway(gateway, identity))
  }
  return { files: folder.files, gateways, ignored: setup.ignored, peersMissing }
}

class SitesSetup {
  readonly #plan: SitesPlan
  readonly #identities: Identities
  readonly #folder: SetupFolder
  readonly #ignored: IgnoredSetting[] = []

  constructor(plan: SitesPlan, identities: Identities) {
    this.#plan = plan
    this.#identities = identities
    this.#folder = identities.folder
  }

  get ignored(): readonly IgnoredSetting[] {
    return this.#ignored
  }

  async gateway(gateway: GatewayPlan, identity: GatewayIdentity): Promise<SetupGateway> {
    const { name } = gateway
    const config = join('gateway', `${name}.yaml`)
    // A gateway that made its own keys has its own passwords and configuration too.
    const elsewhere = await isElsewhere(this.#folder, name)
    if (!elsewhere) await this.#ownFiles(gateway, config)
    const text = elsewhere ? null : await this.#folder.read(config)
    const file = text === null ? null : gatewayFileFacts(text)
    return { ...identity, config, elsewhere, file }
  }

  /** Passwords, authority of the database, configuration. */
  async #ownFiles(gateway: GatewayPlan, path: string): Promise<void> {
    const { name } = gateway
    const { endpoints } = this.#identities
    await this.#password(name, 'database.password')
    await this.#password(name, 'relay.password')
    const all = this.#plan.gateways.flatMap((one) => endpoints.get(one.name) ?? [])
    const content = gatewayFile({
      ...this.#plan,
      ...gateway,
      externalTunnel: this.#identities.externalTunnel,
      peers: otherGateways(this.#plan, name),
      listenPort: endpoints.get(name)?.[0]?.port ?? DEFAULT_PORT,
      endpoints: all,
      hasDatabaseCa: await this.#databaseAuthority(gateway),
    })
    await this.#gatewayFile(name, path, content)
  }

  /** A kept file is a person's: what would be written otherwise is told, not done. */
  async #gatewayFile(name: string, path: string, content: string): Promise<void> {
    const old = await this.#folder.read(path)
    await this.#folder.public(path, content)
    if (old === null) return
    const known = gatewayFileFacts(old).peers
    const missing = otherGateways(this.#plan, name).filter((peer) => !known.includes(peer))
    if (missing.length > 0) {
      const line = peersSetting([...known, ...missing])
      this.#ignored.push({ flag: '--sites', line, path })
    }
    for (const { flag, line, gateway } of this.#plan.given) {
      if (gateway !== name || !hasLine(content, line) || hasLine(old, line)) continue
      this.#ignored.push({ flag, line, path })
    }
  }

  /** Copies the file that was named for the database of this site; whether there is one now. */
  async #databaseAuthority({ name, databaseCa }: GatewayPlan): Promise<boolean> {
    const path = join('certs', name, 'database-ca.crt')
    const old = await this.#folder.read(path)
    if (databaseCa !== null) {
      await this.#folder.replace(path, old, await readAuthority(databaseCa))
    } else if (old !== null) this.#folder.note(path, 'kept')
    return databaseCa !== null || old !== null
  }

  async #password(name: string, file: string): Promise<void> {
    const password = new Secret(randomBytes(24).toString('base64url'))
    await this.#folder.secret(join('certs', name, file), password)
  }
}

/** What is commented out does not count. */
function hasLine(text: string, wanted: string): boolean {
  return text.split('\n').some((line) => !/^\s*#/.test(line) && line.includes(wanted))
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
