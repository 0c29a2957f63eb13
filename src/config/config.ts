import type { Flavor } from '../base/flavor.ts'
import type { Permission } from '../base/permission.ts'
import type { Secret } from '../base/secret.ts'

/**
 * The configuration of one gateway as the rest of the program sees it: read once, checked whole,
 * frozen. Paths are absolute, sizes are bytes, durations are milliseconds, files of keys and
 * certificates are already read. What is absent is null.
 */
export interface GatewayConfig {
  /** The file this was read from. */
  readonly path: string
  readonly name: string
  /** Name of the place where this gateway is; its role is a fact of each stream. */
  readonly site: string
  readonly dataDir: string
  readonly identity: IdentityConfig
  /** The public half of this gateway, as its own peer file says. */
  readonly self: PeerConfig
  /** The public halves of the gateways that this one knows; at least one. */
  readonly peers: readonly PeerConfig[]
  readonly tunnel: TunnelConfig
  readonly link: LinkConfig
  readonly streams: readonly StreamConfig[]
  readonly admin: { readonly socketPath: string }
  readonly metrics: { readonly listen: HostPort } | null
  readonly log: { readonly level: LogLevel }
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** An address with the length of its subnet's prefix, such as 10.77.0.1/30. */
export interface SubnetAddress {
  readonly address: string
  readonly prefixLength: number
}

export interface IdentityConfig {
  /** Base64, as `wg genkey` prints it. */
  readonly wireguardPrivateKey: Secret
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  readonly authorityPem: string
  readonly paths: {
    readonly wireguardKey: string
    readonly certificate: string
    readonly privateKey: string
    readonly authority: string
  }
}

export interface PeerConfig {
  readonly path: string
  readonly name: string
  readonly site: string
  readonly wireguardPublicKey: string
  readonly endpoints: readonly HostPort[]
  readonly tunnelAddress: SubnetAddress
  readonly linkPort: number
  /** `sha256:` and the hex SHA-256 of the certificate's SubjectPublicKeyInfo DER. */
  readonly certificateFingerprint: string
  /** Whether a term that this gateway reports counts here: who else may decide the origin. */
  readonly mayTakeOver: boolean
  /** What this gateway may ask of another over the link. */
  readonly permission: Permission
}

export type TunnelConfig = WireguardTunnelConfig | { readonly kind: 'external' }

export interface WireguardTunnelConfig {
  readonly kind: 'wireguard'
  readonly interfaceName: string
  readonly backend: 'auto' | 'kernel' | 'userspace'
  readonly listenPort: number
  readonly mtuBytes: number
  readonly keepaliveMs: number
  /** argv of wireguard-go, without the interface name. */
  readonly userspaceArgv: readonly string[]
  /** Ports that the peer may open here besides the link's. */
  readonly allow: readonly TransportPort[]
  /** Whether the peer may reach hosts behind this gateway, and they the peer. */
  readonly forward: boolean
}

export interface TransportPort {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

export interface LinkConfig {
  readonly windowBytes: number
  readonly compression: 'auto' | 'zstd' | 'none'
  readonly pingMs: number
}

export interface StreamConfig {
  readonly name: string
  /** The site that is origin in the first term; later terms come from operations of recovery. */
  readonly origin: string
  /** Of this site: read while this is the origin, asked while it is a copy. Null: none is known. */
  readonly database: SiteDatabaseConfig | null
  /** Of what is sent while this site is the origin. */
  readonly throttle: { readonly bytesPerSecond: number | null }
  /** For the times when this site is a copy; so is `relay`, where replicas are to be fed. */
  readonly spool: SpoolConfig
  readonly relay: RelayConfig | null
}

export interface DatabaseConfig {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret
  readonly tls: DatabaseTlsConfig
}

/** How the database proves who it is before a password is sent; see mysql/sql-tls.ts. */
export interface DatabaseTlsConfig {
  readonly mode: 'verify-identity' | 'verify-ca' | 'pinned' | 'unverified' | 'off'
  /** Null: the authorities that Node trusts. */
  readonly caPem: string | null
  /** Of the public key that is pinned: `sha256:` and 64 hex digits. Null unless `pinned`. */
  readonly fingerprint: string | null
  /** For a database that asks for a certificate (REQUIRE X509). */
  readonly client: { readonly certificatePem: string; readonly privateKeyPem: Secret } | null
  /** With `off`, the password may go to another machine in a way that others can take it from. */
  readonly allowPasswordWithoutTls: boolean
}

export interface SiteDatabaseConfig extends DatabaseConfig {
  /** With which we read it. Null: a random one, kept in dataDir. */
  readonly serverId: number | null
  readonly flavor: Flavor | 'auto'
}

export interface SpoolConfig {
  readonly directory: string
  readonly retention: {
    readonly ageMs: number | null
    readonly sizeBytes: number | null
    /** True: the limits win even over a replica that still needs the files. */
    readonly hardLimit: boolean
    /** For how long files are kept for a replica that nothing is heard of. */
    readonly replicaAgeMs: number
    /** How long files of before a reset of the source stay after it, whatever the limits say. */
    readonly minimumHoldMs: number
  }
}

export interface RelayConfig {
  readonly listen: HostPort
  readonly user: string
  readonly password: Secret
  readonly certificatePem: string
  readonly privateKeyPem: Secret
  /** Null: a random one, kept in dataDir. */
  readonly serverId: number | null
}
