import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { LandbridgeError } from '../base/errors.ts'
import type { SqlAddress } from '../mysql/sql-connect.ts'
import type { RelayConfig } from '../relay/relay-section.ts'
import type { StreamConfig } from './config/gateway-config.ts'
import { findStreamIdentity, type StreamIdentity } from './stream-identity.ts'

/** The database of a copy, and the relay that it is to follow. */
export interface ReplicaPlace {
  readonly stream: string
  readonly replica: SqlAddress
  readonly relay: RelayConfig
  /** Null before the first run of the gateway. */
  readonly identity: StreamIdentity | null
}

export interface PlaceOptions {
  /** Where this is, and who is the origin by the newest term that is known here. */
  readonly site: string
  readonly origin: string
  readonly dataDir: string
  readonly stream: StreamConfig
  /** The login of `stream.database`, or the same with what else its connections share. */
  readonly database: SqlAddress | null
}

/** Throws ERR_USAGE where there is no replica that could follow anything. */
export async function replicaPlace(options: PlaceOptions): Promise<ReplicaPlace> {
  const { site, origin, dataDir, stream, database } = options
  const { name, relay } = stream
  if (origin === site) {
    throw usage(
      `${site} is the origin of stream ${name}: its database follows nobody`,
      'ask at the gateway of a copy',
    )
  }
  if (relay === null) {
    throw usage(
      `stream ${name} has no relay at ${site}`,
      'add the `relay:` section that the example has: gateway/README.md, "Two roles"',
    )
  }
  if (database === null) {
    throw usage(
      `stream ${name} has no database at ${site}`,
      'add the `database:` section that the example has: gateway/README.md, "The replica"',
    )
  }
  const identity = await findStreamIdentity(dataDir, name)
  return { stream: name, replica: database, relay, identity }
}

/** Whether the relay's certificate names a host, by name or by address. */
export function isNamed({ certificatePem }: RelayConfig, host: string): boolean {
  const certificate = new X509Certificate(certificatePem)
  const name = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)
  return name !== undefined
}

function usage(message: string, remedy: string): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', message, { remedy })
}
