import type { HostPort } from './address.ts'

/** What `init` knows of a gateway whose file it writes. */
export interface GatewayTemplate {
  readonly name: string
  readonly peers: readonly string[]
  /** The site that is the origin in the first term. */
  readonly origin: string
  readonly dataDir: string
  /** Secrets come from systemd's LoadCredential=certs:... instead of files beside the config. */
  readonly credentials: boolean
  readonly externalTunnel: boolean
  readonly listenPort: number
  /** Of every gateway: what fits through the tunnel depends on them. */
  readonly endpoints: readonly HostPort[]
  /** Null: an example, which is commented out at a copy. */
  readonly database: HostPort | null
  readonly databaseUser: string
  /** The authority of the database's certificate is in certs/, as database-ca.crt. */
  readonly hasDatabaseCa: boolean
  readonly relayListen: HostPort
  readonly relayUser: string
}

/** How a gateway file names a file of certs/NAME/. */
export function certFile(
  { name, credentials }: Pick<GatewayTemplate, 'name' | 'credentials'>,
  file: string,
): string {
  return credentials ? `credential:certs_${file}` : `../certs/${name}/${file}`
}
