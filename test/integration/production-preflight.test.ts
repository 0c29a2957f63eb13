import { expect } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { Secret } from '../../src/base/secret.ts'
import { OriginHalf } from '../../src/gateway/origin-half.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import type { Channel } from '../../src/link/channel.ts'
import { FrameType } from '../../src/link/frame.ts'
import { ConnectAttempts } from '../../src/mysql/connect-attempts.ts'
import { testFlavors } from '../helpers/needs.ts'
import { tlsOf } from '../helpers/servers/server-tls.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

function streamOf(server: RunningServer, user: string): OriginHalf {
  return new OriginHalf({
    gateway: 'ec2',
    config: {
      name: 'main',
      origin: 'ec2',
      database: {
        host: '127.0.0.1',
        port: server.port,
        user,
        password: new Secret('secret'),
        tls: tlsOf(server),
        serverId: null,
        flavor: 'auto',
      },
      throttle: { bytesPerSecond: null },
      lag: { objectiveMs: null },
      spool: {
        directory: '/nowhere',
        retention: {
          ageMs: null,
          sizeBytes: null,
          hardLimit: false,
          replicaAgeMs: 1,
          minimumHoldMs: 1,
        },
      },
      relay: null,
    },
    peers: [{ name: 'azure', site: 'azure' }],
    link: { windowBytes: 1024 ** 2, compression: 'none', pingMs: 1000 },
    identity: {
      readers: { azure: { serverId: 4_100_000_001, uuid: '7f3c0a52-93b1-11ef-8a0f-0242ac120002' } },
      relay: { serverId: 4_200_000_001, uuid: '00000000-0000-4000-8000-000000000001' },
    },
    attempts: new ConnectAttempts({ clock: systemClock }),
    clock: systemClock,
    log: silentLog,
  })
}

/** A session with a DR gateway that holds nothing and never answers. */
async function during(stream: OriginHalf, look: () => Promise<void>): Promise<void> {
  const deaf = { send: () => undefined, say: () => undefined, sendJson: () => undefined }
  const channel = { ...deaf, fail: () => undefined } as unknown as Channel
  const stop = new AbortController()
  const session = stream.session(channel, 0, 'azure')
  const body = { stream: 'main', term: 1, held: null, windowBytes: 1024 ** 2 }
  session.onFrame({ type: FrameType.Resume, stream: 0, body })
  const running = session.run(stop.signal).catch((error: unknown) => error)
  try {
    await look()
  } finally {
    stop.abort()
    await running
  }
}

testFlavors(
  'the status of a production gateway tells what the preflight found, %s',
  async (flavor) => {
    await using servers = await TestServers.create()
    const server = await servers.start(flavor)
    const root = await connectSql(server)
    await root.query("CREATE USER blind IDENTIFIED BY 'secret'")
    await root.query("CREATE USER reader IDENTIFIED BY 'secret'")
    await root.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader')
    await root.query("SET GLOBAL binlog_format = 'STATEMENT'")
    await root.end()

    const blind = streamOf(server, 'blind')
    const blocked = { code: 'ERR_SOURCE_GRANTS', severity: 'blocked', where: 'source:main' }
    await during(blind, async () => {
      await expect
        .poll(() => blind.problems()[0], { timeout: 60_000 })
        .toMatchObject({
          ...blocked,
          remedy: expect.stringMatching(/^GRANT REPLICATION SLAVE, .* TO 'blind'@'%'$/),
        })
      expect(blind.status().source.host).toBe(`127.0.0.1:${server.port}`)
    })

    const reader = streamOf(server, 'reader')
    await during(reader, async () => {
      await expect
        .poll(() => reader.problems(), { timeout: 60_000 })
        .toContainEqual({
          code: 'ERR_SOURCE_FORMAT',
          severity: 'warning',
          where: 'source:main',
          message: expect.stringMatching(/^binlog_format is STATEMENT/),
          remedy: expect.stringContaining("binlog_format = 'ROW'"),
          sinceMs: expect.any(Number),
        })
    })
  },
)
