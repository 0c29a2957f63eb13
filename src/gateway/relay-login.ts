import { once } from 'node:events'
import { connect } from 'node:net'
import { LandbridgeError } from '../base/errors.ts'
import { certificateFingerprint } from '../base/fingerprint.ts'
import type { HostPort } from '../config/address.ts'
import type { SqlLoginOptions } from '../mysql/sql-login.ts'
import type { RelayConfig } from '../relay/relay-section.ts'

const CONNECT_MS_MAX = 10_000

export function isWildcard({ listen }: RelayConfig): boolean {
  return listen.host === '0.0.0.0' || listen.host === '::'
}

/**
 * The address that this machine has towards the replica: there the replica finds a relay that
 * listens everywhere, unless addresses are translated in between. Throws ERR_SQL_LOGIN.
 */
export async function addressTowards(replica: HostPort, signal: AbortSignal): Promise<string> {
  const { host, port } = replica
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', {
      signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS_MAX)]),
    })
    return socket.localAddress ?? host
  } catch (cause) {
    signal.throwIfAborted()
    throw new LandbridgeError('ERR_SQL_LOGIN', `the replica does not answer at ${host}:${port}`, {
      cause,
      retryable: true,
      remedy: 'See that it runs, and host and port of the `database` section.',
    })
  } finally {
    socket.destroy()
  }
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
    tls: {
      mode: 'pinned',
      caPem: null,
      fingerprint: certificateFingerprint(relay.certificatePem),
    },
  }
}
