import { parseDocument } from 'yaml'

/** What `init` wants to know of a gateway file that it wrote, or that people have changed since. */
export interface GatewayFileFacts {
  /** The gateways that it knows. */
  readonly peers: readonly string[]
  /** Of its first stream. */
  readonly origin: string | null
  /** Null: it names no database of its site. */
  readonly databaseHost: string | null
  /** Somebody decided what the database is believed by: an authority, a key, or nothing. */
  readonly namesProof: boolean
  /** Secrets come from systemd, so only a unit can read them. */
  readonly usesCredentials: boolean
  readonly isExternalTunnel: boolean
}

/** A file with mistakes is `check`'s business: what cannot be read is null, false or empty. */
export function gatewayFileFacts(text: string): GatewayFileFacts {
  const root = mapping(parsed(text))
  const [stream] = listed(root.streams).map(mapping)
  const database = mapping(stream?.database)
  const { mode, ca, fingerprint } = mapping(database.tls)
  const key = asText(mapping(root.identity).wireguardKey)
  return {
    peers: listed(root.peers).flatMap((peer) => asText(peer) ?? []),
    origin: asText(stream?.origin),
    databaseHost: asText(database.host),
    namesProof: (ca ?? fingerprint) !== undefined || mode === 'unverified' || mode === 'off',
    usesCredentials: key?.startsWith('credential:') === true,
    isExternalTunnel: root.tunnel === 'external',
  }
}

function parsed(text: string): unknown {
  try {
    return parseDocument(text).toJS()
  } catch {
    // Aliases without an anchor, for one: nothing is known of such a file.
    return null
  }
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function listed(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
