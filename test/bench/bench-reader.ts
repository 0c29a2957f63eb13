import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { Secret } from '../../src/base/secret.ts'
import { SourceReader } from '../../src/source/source-reader.ts'
import { LOGINS } from './logins.ts'

/** The source station at `port` of this machine, without TLS, as the rival reads it. */
export function benchReader(port: number): SourceReader {
  return new SourceReader({
    address: {
      host: '127.0.0.1',
      port,
      user: LOGINS.user,
      password: new Secret(LOGINS.password),
      tls: { mode: 'off', caPem: null },
    },
    serverId: 4_000_000_001,
    replicaUuid: 'b0f00000-0000-4000-8000-000000000001',
    reportHost: 'bench',
    clock: systemClock,
    log: silentLog,
  })
}
