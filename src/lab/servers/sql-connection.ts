import { readFileSync } from 'node:fs'
import type { Connection, ConnectionOptions } from 'mysql2/promise'
import { createConnection } from 'mysql2/promise'

export interface SqlAddress {
  readonly socket?: string
  readonly host?: string
  readonly port?: number
  /** Default root, which has no password on a lab server. */
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** Default false: several statements in one call are for fixtures. */
  readonly multipleStatements?: boolean
  readonly connectMs?: number
  /** Given: TCP with TLS, verified against this authority. */
  readonly tls?: { readonly authority: string } | undefined
}

/** Login to a server of the lab or a test: over its socket as root, or wherever it is told to. */
export function connectSql(address: SqlAddress): Promise<Connection> {
  const options: ConnectionOptions = {
    user: address.user ?? 'root',
    supportBigNumbers: true,
    bigNumberStrings: false,
    multipleStatements: address.multipleStatements ?? false,
    connectTimeout: address.connectMs ?? 10_000,
  }
  if (address.password !== undefined) options.password = address.password
  if (address.database !== undefined) options.database = address.database
  if (address.socket !== undefined) options.socketPath = address.socket
  else {
    options.host = address.host ?? '127.0.0.1'
    if (address.port !== undefined) options.port = address.port
    if (address.tls !== undefined) {
      options.ssl = { ca: readFileSync(address.tls.authority, 'utf8'), verifyIdentity: false }
    }
  }
  return createConnection(options)
}
