import { expect, test } from 'vitest'
import { Secret } from '../../../../src/base/secret.ts'
import { tlsFindings } from '../../../../src/cli/check/check-database-tls.ts'
import type { DatabaseTlsConfig } from '../../../../src/database/database-tls.ts'

test.each<[mode: DatabaseTlsConfig['mode'], host: string, warning: RegExp | null]>([
  ['verify-identity', 'db.example.net', null],
  ['verify-ca', 'db.example.net', null],
  ['pinned', 'db.example.net', null],
  ['unverified', 'db.example.net', /^whoever answers at db\.example\.net:3306 is believed/],
  ['off', 'db.example.net', /without TLS: the network can read it$/],
  ['off', '127.0.0.1', null],
])('TLS %s towards %s', (mode, host, warning) => {
  const tls = { mode, caPem: null, fingerprint: null, client: null }
  const login = { host, port: 3306, user: 'reader', password: new Secret('x') }
  const database = { ...login, tls: { ...tls, allowPasswordWithoutTls: true } }
  const message = warning === null ? null : expect.stringMatching(warning)
  expect(tlsFindings(database, 'database')).toEqual(
    message === null
      ? []
      : [
          {
            severity: 'warning',
            message,
            remedy: expect.stringContaining('database: { tls: { ca:'),
          },
        ],
  )
})
