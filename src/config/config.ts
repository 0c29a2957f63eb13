import type { Flavor } from '../base/flavor.ts'
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
  readonly site: Site
  readonly dataDir: string
  readonly identity: IdentityConfig
  /** The public half of this gateway, as its own peer file says. */
  readonly self: PeerConfig
  /** The public half of the gateway at the other site. */
  readonly peer: PeerConfig
  readonly tunnel: TunnelConfig
  readonly link: LinkConfig
  readonly streams: readonly StreamConfig[]
  readonly admin: { readonly socketPath: string }
  readonly metrics: { readonly listen: HostPort } | null
  readonly log: { readonly level: LogLevel }
}

export type Site = 'production' | 'dr'
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
  readonly site: Site
  readonly wireguardPublicKey: string
  readonly endpoints: readonly HostPort[]
  readonly tunnelAddress: SubnetAddress
  readonly linkPort: number
  /** `sha256:` and the hex SHA-256 of the certificate's SubjectPublicKeyInfo DER. */
  readonly certificateFingerprint: string
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
  /** Tunnel address of the production gateway: it listens there, the DR gateway dials it. */
  readonly host: string
  readonly port: number
  readonly windowBytes: number
  readonly compression: 'auto' | 'zstd' | 'none'
  readonly pingMs: number
}

export interface StreamConfig {
  readonly name: string
  /** Set at production, null at DR. */
  readonly source: SourceConfig | null
  readonly throttle: { readonly bytesPerSecond: number | null }
  /** Set at DR, null at production; so are `relay` and `replica` where they are wanted. */
  readonly spool: SpoolConfig | null
  readonly relay: RelayConfig | null
  readonly replica: DatabaseConfig | null
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

export interface SourceConfig extends DatabaseConfig {
  /** Null: a random one, kept in dataDir. */
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
