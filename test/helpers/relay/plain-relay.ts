import type { Clock } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import { RelayServer, type RelayServerOptions } from '../../../src/relay/relay-server.ts'
import type { ServedLog } from '../../../src/relay/served-log.ts'

/** A relay on loopback without TLS, for `replica` with the password `right`. */
export function plainRelay(
  store: ServedLog,
  clock: Clock,
  options: Partial<RelayServerOptions> = {},
): RelayServer {
  return new RelayServer({
    store,
    listen: { host: '127.0.0.1', port: 0 },
    user: 'replica',
    password: new Secret('right'),
    tls: null,
    allowPlainOnLoopback: true,
    serverId: 4_200_000_001,
    serverUuid: '11111111-2222-3333-4444-555555555555',
    log: silentLog,
    clock,
    ...options,
  })
}
