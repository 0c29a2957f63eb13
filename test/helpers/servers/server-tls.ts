import { readFileSync } from 'node:fs'
import type { DatabaseTlsConfig } from '../../../src/database/database-tls.ts'
import type { ServerRecord } from '../../../src/lab/servers/server-options.ts'

/** Verifies a server of the tests by its own authority; one that has no TLS is on loopback. */
export function tlsOf({ tls }: Pick<ServerRecord, 'tls'>): DatabaseTlsConfig {
  const rest = { fingerprint: null, client: null, allowPasswordWithoutTls: false }
  if (tls === undefined) return { mode: 'off', caPem: null, ...rest }
  return { mode: 'verify-identity', caPem: readFileSync(tls.authority, 'utf8'), ...rest }
}
