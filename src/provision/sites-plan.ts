import type { HostPort, SubnetAddress } from '../config/address.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { GatewayFileFacts } from './gateway-file-facts.ts'

/** Who the gateway of one site is; both have the same name. */
export interface IdentityPlan {
  readonly name: string
  /** Null: keep what the peer file has. */
  readonly endpoint: HostPort | null
  /** Null: keep what the peer file has, else the next of the subnet. */
  readonly tunnelAddress: SubnetAddress | null
  /** Null: keep what the peer file has; a new one says true. */
  readonly mayTakeOver: boolean | null
}

/** Keys, certificates and peer files of gateways that know each other. */
export interface IdentitiesPlan {
  /** Folder that holds gateway/, peers/ and certs/. */
  readonly directory: string
  readonly gateways: readonly IdentityPlan[]
  /** Which gateway's files are made: all on a workstation, one on a gateway itself. */
  readonly only: string | null
  readonly externalTunnel: boolean
  /** Null: nobody chose it. It is the one of the peer files that are there, else the usual one. */
  readonly tunnelSubnet: SubnetAddress | null
  readonly linkPort: number
  readonly nowMs: number
}

/** An identity, and what is in the gateway file. */
export interface GatewayPlan extends IdentityPlan {
  /** Null: nobody named it. The file then has an example, which is commented out at a copy. */
  readonly database: HostPort | null
  readonly databaseUser: string
  /** File with the authority of the database's certificate; null: none was named. */
  readonly databaseCa: string | null
  readonly relayListen: HostPort
  readonly relayUser: string
}

export interface SitesPlan extends IdentitiesPlan {
  readonly gateways: readonly GatewayPlan[]
  /** The site whose database is copied in the first term. */
  readonly origin: string
  readonly renew: boolean
  readonly dataDir: string
  readonly credentials: boolean
  readonly given: readonly GivenSetting[]
}

/** What was asked for by a flag, as the line of the gateway file that it makes. */
export interface GivenSetting {
  readonly flag: string
  readonly line: string
  /** Whose file has it. */
  readonly gateway: string
}

export interface IgnoredSetting {
  readonly flag: string
  readonly line: string
  /** The file that was kept without it. */
  readonly path: string
}

/** A copy's has another name: what the origin grants, replication brings to the copies too. */
export const DATABASE_USERS = { origin: 'landbridge', copy: 'landbridge_replica' } as const

export type Outcome = 'created' | 'kept' | 'updated' | 'renewed'

export interface SetupFile {
  readonly path: string
  readonly outcome: Outcome
}

export interface SetupGateway {
  readonly name: string
  readonly site: string
  readonly config: string
  readonly wireguardPublicKey: string
  readonly certificateFingerprint: string
  /** False: the authority is on another machine, which has to sign this key. */
  readonly signed: boolean
  /** True: its private keys are on its own machine, and this one only signs. */
  readonly elsewhere: boolean
  readonly tunnelAddress: SubnetAddress
  readonly endpoints: readonly HostPort[]
  /** As its peer file says. */
  readonly mayTakeOver: boolean
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

/** Names of all gateways but `name`. */
export function otherGateways(
  { gateways }: Pick<IdentitiesPlan, 'gateways'>,
  name: string | null,
): string[] {
  return gateways.map((gateway) => gateway.name).filter((other) => other !== name)
}

/** The gateways whose files are made. */
export function chosenGateways<Plan extends { readonly name: string }>({
  gateways,
  only,
}: {
  readonly gateways: readonly Plan[]
  readonly only: string | null
}): readonly Plan[] {
  return gateways.filter(({ name }) => only === null || only === name)
}

/** What is planned for each, or what its peer file has. */
export function endpointsOf(
  { gateways }: IdentitiesPlan,
  peers: ReadonlyMap<string, PeerConfig>,
): ReadonlyMap<string, readonly HostPort[]> {
  return new Map(
    gateways.map(({ name, endpoint }) => [
      name,
      endpoint === null ? (peers.get(name)?.endpoints ?? []) : [endpoint],
    ]),
  )
}
