import type { RelayConfig } from '../config/config.ts'
import type { SqlLoginOptions } from '../mysql/sql-login.ts'

export function isWildcard({ listen }: RelayConfig): boolean {
  return listen.host === '0.0.0.0' || listen.host === '::'
}

/** How a command on the gateway's own machine reaches its relay. */
export function localRelayLogin(relay: RelayConfig): SqlLoginOptions {
  const { listen, user, password } = relay
  const loopback = listen.host === '::' ? '::1' : '127.0.0.1'
  return {
    role: 'relay',
    host: isWildcard(relay) ? loopback : listen.host,
    port: listen.port,
    user,
    password,
    tls: { mode: 'required', caPem: null },
  }
}
