import { certificateFingerprint } from '../base/fingerprint.ts'
import type { SqlLoginOptions } from '../mysql/sql-login.ts'
import type { RelayConfig } from '../relay/relay-section.ts'

export function isWildcard({ listen }: RelayConfig): boolean {
  return listen.host === '0.0.0.0' || listen.host === '::'
}

/** How a process on the relay's machine, the gateway itself included, logs in as a replica does. */
export function localRelayLogin(relay: RelayConfig): SqlLoginOptions {
  const { listen, user, password } = relay
  const loopback = listen.host === '::' ? '::1' : '127.0.0.1'
  return {
    role: 'relay',
    host: isWildcard(relay) ? loopback : listen.host,
    port: listen.port,
    user,
    password,
    tls: {
      mode: 'pinned',
      caPem: null,
      fingerprint: certificateFingerprint(relay.certificatePem),
    },
  }
}
