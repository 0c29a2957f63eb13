import { LandbridgeError } from '../../base/errors.ts'
import type { HostPort } from '../../config/address.ts'
import { parseHostPort } from '../../config/address.ts'
import * as field from '../../config/fields.ts'
import { caSetting } from '../../database/database-section.ts'
import {
  DATABASE_USERS,
  type GatewayPlan,
  type GivenSetting,
  type SitesPlan,
} from '../../provision/sites-plan.ts'
import { originSetting } from '../../provision/template.ts'
import { parseTunnelSubnet } from '../../provision/tunnel-addresses.ts'
import { listenSetting } from '../../relay/relay-section.ts'
import { MTU_IPV4, MTU_IPV6, mtuFor } from '../../tunnel/tunnel-mtu.ts'

/** What the command line and the questions say. Of a repeatable flag each is NAME=VALUE. */
export interface InitOptions {
  readonly directory: string
  readonly sites: readonly string[]
  readonly origin?: string
  /** What the files that are there say. */
  readonly foundOrigin?: string
  readonly foundWithoutTakeOver?: readonly string[]
  readonly only?: string
  readonly endpoint?: readonly string[]
  readonly database?: readonly string[]
  readonly databaseUser?: readonly string[]
  readonly databaseCa?: readonly string[]
  readonly relayListen?: readonly string[]
  readonly relayUser?: readonly string[]
  readonly mayTakeOver?: string
  readonly tunnelSubnet?: string
  readonly externalTunnel?: boolean
  readonly dataDir: string
  readonly credentials?: boolean
  readonly renew?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

export const DEFAULTS = {
  sites: ['ec2', 'azure'],
  relayListen: '0.0.0.0:3307',
  relayUser: 'replica',
  dataDir: '/var/lib/landbridge',
} as const

/** Throws ERR_USAGE. */
export function planOf(options: InitOptions): SitesPlan {
  const { sites } = options
  const origin = options.origin ?? options.foundOrigin ?? sites[0] ?? ''
  requireSite('--origin', origin, sites)
  if (options.only !== undefined) requireSite('--only', options.only, sites)
  const settings = siteSettings(options)
  const takers = takersOf(options.mayTakeOver, sites)
  const gateways = sites.map((name): GatewayPlan => {
    const of = (flag: keyof typeof settings) => settings[flag].get(name)
    const listen = of('relayListen') ?? DEFAULTS.relayListen
    return {
      name,
      endpoint: hostPort('--endpoint', of('endpoint'), 51_820),
      tunnelAddress: null,
      mayTakeOver: takers === null ? null : takers.includes(name),
      database: hostPort('--database', of('database'), 3306),
      databaseUser: of('databaseUser') ?? DATABASE_USERS[name === origin ? 'origin' : 'copy'],
      databaseCa: of('databaseCa') || null,
      relayListen: hostPort('--relay-listen', listen, 3307) ?? { host: '::', port: 3307 },
      relayUser: of('relayUser') ?? DEFAULTS.relayUser,
    }
  })
  const { tunnelSubnet } = options
  return {
    directory: options.directory,
    gateways,
    origin,
    only: options.only ?? null,
    renew: options.renew === true,
    dataDir: options.dataDir,
    credentials: options.credentials === true,
    externalTunnel: options.externalTunnel === true,
    tunnelSubnet: tunnelSubnet === undefined ? null : parseTunnelSubnet(tunnelSubnet),
    linkPort: 7400,
    given: gateways.flatMap((gateway) => givenOf(options, gateway)),
    nowMs: Date.now(),
  }
}

/** `ec2,azure`: at least two names, all different. Throws ERR_USAGE. */
export function parseSites(text: string): readonly string[] {
  const sites = text.split(',').map((name) => name.trim())
  const areGood = sites.every((name) => field.name.safeParse(name).success)
  if (areGood && sites.length >= 2 && new Set(sites).size === sites.length) return sites
  throw usage(
    `--sites ${text} is not a list of two or more different names`,
    'write --sites ec2,azure, each 1 to 63 of a-z, 0-9 and -',
  )
}

function requireSite(flag: string, name: string, sites: readonly string[]): void {
  if (sites.includes(name)) return
  throw usage(`${flag} ${name} is not one of the sites ${sites.join(',')}`, 'name one of them')
}

/** Null: nobody said it. */
function takersOf(text: string | undefined, sites: readonly string[]): readonly string[] | null {
  if (text === undefined) return null
  if (text.trim() === 'none' || text.trim() === '') return []
  const names = text.split(',').map((name) => name.trim())
  for (const name of names) requireSite('--may-take-over', name, sites)
  return names
}

type Settings = Readonly<Record<SiteFlag, ReadonlyMap<string, string>>>
type SiteFlag =
  | 'endpoint'
  | 'database'
  | 'databaseUser'
  | 'databaseCa'
  | 'relayListen'
  | 'relayUser'

function siteSettings(options: InitOptions): Settings {
  const each = (flag: string, values: readonly string[] = []) => bySite(flag, values, options.sites)
  return {
    endpoint: each('--endpoint', options.endpoint),
    database: each('--database', options.database),
    databaseUser: each('--database-user', options.databaseUser),
    databaseCa: each('--database-ca', options.databaseCa),
    relayListen: each('--relay-listen', options.relayListen),
    relayUser: each('--relay-user', options.relayUser),
  }
}

/** NAME=VALUE, once for each site at most. */
function bySite(
  flag: string,
  values: readonly string[],
  sites: readonly string[],
): Map<string, string> {
  const settings = new Map<string, string>()
  for (const text of values) {
    const at = text.indexOf('=')
    if (at < 1) {
      throw usage(`${flag} ${text} does not say of which site`, `write ${flag} ${sites[0]}=${text}`)
    }
    const name = text.slice(0, at)
    requireSite(flag, name, sites)
    if (settings.has(name)) throw usage(`${flag} names ${name} twice`, 'keep one of them')
    settings.set(name, text.slice(at + 1))
  }
  return settings
}

/** Flags that only a gateway file holds: one that is kept does not follow them. */
function givenOf(options: InitOptions, gateway: GatewayPlan): GivenSetting[] {
  const { name, endpoint, database, databaseCa, databaseUser, relayListen, relayUser } = gateway
  const credentials = options.credentials === true
  const isNarrow = endpoint !== null && mtuFor([endpoint]) !== MTU_IPV4
  const named = (values: readonly string[] | undefined) =>
    values?.some((text) => text.startsWith(`${name}=`)) === true
  const lines: readonly (readonly [flag: string, line: string | null])[] = [
    ['--origin', options.origin === undefined ? null : originSetting(options.origin)],
    ['--endpoint', endpoint === null ? null : `listenPort: ${endpoint.port}`],
    ['--endpoint', isNarrow ? `mtu: ${MTU_IPV6}` : null],
    ['--database', database === null ? null : `host: ${database.host}`],
    ['--database', database === null ? null : `port: ${database.port}`],
    ['--database-user', named(options.databaseUser) ? `user: ${databaseUser}` : null],
    ['--database-ca', databaseCa === null ? null : caSetting({ name, credentials })],
    ['--relay-listen', named(options.relayListen) ? listenSetting(relayListen) : null],
    ['--relay-user', named(options.relayUser) ? `user: ${relayUser}` : null],
    ['--data-dir', options.dataDir === DEFAULTS.dataDir ? null : `dataDir: ${options.dataDir}`],
    ['--external-tunnel', options.externalTunnel === true ? 'tunnel: external' : null],
  ]
  return lines.flatMap(([flag, line]) => (line === null ? [] : [{ flag, line, gateway: name }]))
}

function hostPort(flag: string, text: string | undefined, defaultPort: number): HostPort | null {
  if (text === undefined || text === '') return null
  const parsed = parseHostPort(text) ?? parseHostPort(`${text}:${defaultPort}`)
  if (parsed === null) throw usage(`${flag} ${text} is not HOST:PORT`, 'write HOST or HOST:PORT')
  return parsed
}

function usage(message: string, remedy: string): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', message, { remedy })
}
