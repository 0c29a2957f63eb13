import { afterAll, beforeAll, expect, test } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { openReplica, type ReplicaLogin } from '../../src/database/replica-queries.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { tlsOf } from '../helpers/servers/server-tls.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

const PRIVILEGES = {
  mysql: [
    'GRANT REPLICATION CLIENT ON *.* TO asker',
    'GRANT SELECT ON performance_schema.* TO asker',
  ],
  mariadb: ['GRANT SLAVE MONITOR ON *.* TO asker'],
} as const

describeFlavors('asking a replica, %s', (flavor) => {
  let servers: TestServers
  let server: RunningServer
  const signal = new AbortController().signal
  const relay = { host: null, port: 1, user: 'x' }

  beforeAll(async () => {
    servers = await TestServers.create()
    server = await servers.start(flavor, { serverId: 9 })
    const root = await connectSql(server)
    await root.query("CREATE USER asker IDENTIFIED BY 'secret'")
    for (const sql of PRIVILEGES[flavor]) await root.query(sql)
    await root.end()
  })

  afterAll(() => servers.stop())

  const login = (): ReplicaLogin => ({
    host: '127.0.0.1',
    port: server.port,
    user: 'asker',
    password: new Secret('secret'),
    tls: tlsOf(server),
  })

  test('tells who it is and what it has', async () => {
    const queries = await openReplica(login(), relay, signal)
    expect(queries.identity).toMatchObject({ flavor, serverId: 9 })
    expect(await queries.applied()).toMatch(flavor === 'mysql' ? /^[0-9a-f-]{36}:1/ : /^$/)
    expect((await queries.replication()).stopReason).toMatch(/not set up/)
    queries.close()
  })

  test('says why replication there does not run', async () => {
    const root = await connectSql(server)
    const mysql = flavor === 'mysql'
    await root.query(
      mysql
        ? "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1, SOURCE_USER='x'"
        : "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='x'",
    )
    const queries = await openReplica(login(), relay, signal)
    expect((await queries.replication()).stopReason).toBe(
      mysql ? 'stopped: receiver and applier' : 'stopped: applier and receiver',
    )
    await root.query(mysql ? 'START REPLICA' : 'START SLAVE')
    await expect
      .poll(async () => (await queries.replication()).stopReason, { timeout: 60_000 })
      .toMatch(/^receiver: .*127\.0\.0\.1/)
    await root.query(mysql ? 'STOP REPLICA' : 'STOP SLAVE')
    queries.close()
    await root.end()
  })

  test('a login that may not see it is told what to grant', async () => {
    const root = await connectSql(server)
    await root.query("CREATE USER stranger IDENTIFIED BY 'secret'")
    await root.end()
    const queries = await openReplica({ ...login(), user: 'stranger' }, relay, signal)
    await expect(queries.replication()).rejects.toMatchObject({
      code: 'ERR_REPLICA_QUERY',
      remedy: expect.stringContaining('landbridge replica --help'),
    })
    queries.close()
  })

  test('a wrong password and an unverifiable certificate are errors with a code', async () => {
    const wrong = { ...login(), password: new Secret('other') }
    const code = 'ERR_REPLICA_UNREACHABLE'
    await expect(openReplica(wrong, relay, signal)).rejects.toMatchObject({ code })
    const stranger = { ...login(), tls: { mode: 'verify-ca', caPem: null } as const }
    const refused = openReplica(stranger, relay, signal)
    await expect(refused).rejects.toMatchObject({ code: 'ERR_SQL_TLS' })
  })
})
