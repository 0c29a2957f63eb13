import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GatewayPlan, SitesPlan } from '../../../src/provision/sites-plan.ts'
import { setUpSites } from '../../../src/provision/sites-setup.ts'

const ENDPOINT = { host: '198.51.100.20', port: 51_820 }

/** What `landbridge init` is asked for when a test does not care: ec2 is the origin. */
export function sitesPlan(directory: string, changes: Partial<SitesPlan> = {}): SitesPlan {
  return {
    directory,
    gateways: [gatewayPlan('ec2', { endpoint: ENDPOINT }), gatewayPlan('azure')],
    origin: 'ec2',
    only: null,
    renew: false,
    dataDir: '/var/lib/landbridge',
    credentials: false,
    externalTunnel: false,
    tunnelSubnet: null,
    linkPort: 7400,
    given: [],
    nowMs: Date.now(),
    ...changes,
  }
}

export function gatewayPlan(name: string, changes: Partial<GatewayPlan> = {}): GatewayPlan {
  return {
    name,
    endpoint: null,
    tunnelAddress: null,
    mayTakeOver: null,
    database: null,
    databaseUser: name === 'ec2' ? 'landbridge' : 'landbridge_replica',
    databaseCa: null,
    relayListen: { host: '0.0.0.0', port: 3307 },
    relayUser: 'replica',
    ...changes,
  }
}

/** A plan with changes to some of its gateways. */
export function changeGateways(
  plan: SitesPlan,
  changes: Readonly<Record<string, Partial<GatewayPlan>>>,
): SitesPlan {
  const gateways = plan.gateways.map((one) => ({ ...one, ...changes[one.name] }))
  return { ...plan, gateways }
}

/** A folder with the files of all gateways in it. */
export class PairFolder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Of ec2 and azure, or of three sites. */
  static async create(...more: readonly string[]): Promise<PairFolder> {
    const path = await mkdtemp(join(tmpdir(), 'landbridge-pair-'))
    const plan = sitesPlan(path)
    const others = more.map((name, index) => {
      const endpoint = { host: `203.0.113.${20 + index}`, port: 51_820 }
      return gatewayPlan(name, { endpoint })
    })
    await setUpSites({ ...plan, gateways: [...plan.gateways, ...others] })
    return new PairFolder(path)
  }

  /** The gateways' `dataDir` from now on: a folder of this one. */
  async useDataDirectory(): Promise<string> {
    const path = this.at('data')
    await mkdir(path)
    for (const name of ['ec2', 'azure']) {
      await this.edit(`gateway/${name}.yaml`, ['/var/lib/landbridge', path])
    }
    return path
  }

  at(...parts: string[]): string {
    return join(this.path, ...parts)
  }

  read(file: string): Promise<string> {
    return readFile(this.at(file), 'utf8')
  }

  /** Replaces text in a file; each `from` must be there. */
  async edit(file: string, ...changes: readonly (readonly [string, string])[]): Promise<void> {
    let text = await readFile(this.at(file), 'utf8')
    for (const [from, to] of changes) {
      if (!text.includes(from)) throw new Error(`${file} does not have ${from}`)
      text = text.replace(from, to)
    }
    await writeFile(this.at(file), text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true })
  }
}
