import { parseDocument } from 'yaml'

/** What `init` wants to know of a gateway file that it wrote, or that people have changed since. */
export interface GatewayFileFacts {
  readonly peer: string | null
  readonly sourceHost: string | null
  /** Somebody decided what the source is believed by: an authority, a key, or nothing. */
  readonly namesProof: boolean
  /** Secrets come from systemd, so only a unit can read them. */
  readonly usesCredentials: boolean
  readonly isExternalTunnel: boolean
}

/** A file with mistakes is `check`'s business: what cannot be read is null or false. */
export function gatewayFileFacts(text: string): GatewayFileFacts {
  const root = mapping(parsed(text))
  const streams: readonly unknown[] = Array.isArray(root.streams) ? root.streams : []
  const sources = streams.map((stream) => mapping(mapping(stream).source))
  const source = sources[0] ?? {}
  const { mode, ca, fingerprint } = mapping(source.tls)
  const key = asText(mapping(root.identity).wireguardKey)
  return {
    peer: asText(root.peer),
    sourceHost: asText(source.host),
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

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
