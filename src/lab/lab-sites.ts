/** Every lab has some of these, beginning with the first. */
export const SITES = ['ec2', 'azure', 'gcp', 'onprem'] as const
export type SiteName = (typeof SITES)[number]

export type HostName = `${SiteName}-db` | `${SiteName}-gw` | 'wan'

/** All that a lab can have. */
export const HOSTS: readonly HostName[] = hostsOf(SITES)

export function hostsOf(sites: readonly SiteName[]): HostName[] {
  return [...sites.flatMap((site) => [`${site}-db`, `${site}-gw`] as const), 'wan']
}

export function isHostName(text: string): text is HostName {
  return (HOSTS as readonly string[]).includes(text)
}

/** Whose host a namespace is, also of a lab that another version made; null: of none. */
export function labOfNamespace(namespace: string): string | null {
  return /^lb-(.+)-(?:wan|[a-z0-9]+-(?:db|gw))$/.exec(namespace)?.[1] ?? null
}

export function isSiteName(text: string): text is SiteName {
  return (SITES as readonly string[]).includes(text)
}

export interface SiteAddresses {
  /** The site's own network: its databases and its gateway. */
  readonly db: string
  readonly gateway: string
  /** The leg of the WAN that leads to this site: the gateway's end and the WAN's. */
  readonly gatewayWan: string
  readonly wanLeg: string
  /** Where all other sites find this one. It is the WAN's, which hands on what arrives there. */
  readonly public: string
  readonly tunnel: string
}

/** Two /25 of each documentation network. */
const LANS: Readonly<Record<SiteName, readonly [string, number]>> = {
  ec2: ['198.51.100', 0],
  azure: ['203.0.113', 0],
  gcp: ['198.51.100', 128],
  onprem: ['203.0.113', 128],
}

export const LAN_PREFIX = 25
export const LEG_PREFIX = 28
/** All public addresses; every gateway has a route there, over its own leg. */
export const PUBLIC_NETWORK = '192.0.2.0/25'

/** Every lab has the same addresses: its hosts see nothing but each other. */
export function addressesOf(site: SiteName): SiteAddresses {
  const index = SITES.indexOf(site)
  const [lan, first] = LANS[site]
  const leg = 128 + 16 * index
  return {
    db: `${lan}.${first + 10}`,
    gateway: `${lan}.${first + 20}`,
    gatewayWan: `192.0.2.${leg + 10}`,
    wanLeg: `192.0.2.${leg + 1}`,
    public: `192.0.2.${1 + index}`,
    tunnel: `10.77.0.${1 + index}`,
  }
}

/** Each two sites once, in the order of the sites. */
export function pairsOf(sites: readonly SiteName[]): (readonly [SiteName, SiteName])[] {
  return sites.flatMap((site, index) =>
    sites.slice(index + 1).map((other) => [site, other] as const),
  )
}
