import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { followSource, Secret } from '../../src/index.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { tlsOf } from '../helpers/servers/server-tls.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

describeFlavors('following a source, %s', (flavor) => {
  let servers: TestServers
  let server: RunningServer

  beforeAll(async () => {
    servers = await TestServers.create()
    server = await servers.start(flavor)
    const root = await connectSql(server)
    await root.query("CREATE USER reader IDENTIFIED BY 'secret'")
    await root.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader')
    await root.query('CREATE DATABASE app')
    await root.query('CREATE TABLE app.t (b LONGBLOB)')
    for (let n = 0; n < 4; n += 1) {
      await root.query("INSERT INTO app.t VALUES (REPEAT('x', 2097152))")
      await root.query('FLUSH BINARY LOGS')
    }
    await root.end()
  })

  afterAll(() => servers.stop())

  const resetStatement = {
    mysql: 'RESET BINARY LOGS AND GTIDS',
    mariadb: 'RESET MASTER',
  }[flavor]

  const follow = (signal: AbortSignal, password = 'secret') =>
    followSource(
      {
        source: {
          host: '127.0.0.1',
          port: server.port,
          user: 'reader',
          password: new Secret(password),
          tls: tlsOf(server),
        },
        serverId: 4_100_000_001,
        replicaUuid: '7f3c0a52-93b1-11ef-8a0f-0242ac120002',
      },
      { signal },
    )

  test('yields the bytes of its files, the same as on its disk', async () => {
    const files = new Map<string, Buffer[]>()
    const lengths = new Map<string, number>()
    for await (const { file, offset, bytes } of follow(AbortSignal.timeout(60_000))) {
      expect(offset).toBe(lengths.get(file) ?? 0)
      lengths.set(file, offset + bytes.length)
      files.set(file, [...(files.get(file) ?? []), bytes])
      // The fifth file is the one that is being written.
      if (files.size === 5) break
    }
    const closed = [...files.keys()].sort().slice(0, 4)
    expect(closed).toEqual(['binlog.000001', 'binlog.000002', 'binlog.000003', 'binlog.000004'])
    for (const name of closed) {
      const there = await readFile(join(server.binlogDirectory, name))
      expect(Buffer.concat(files.get(name) ?? []).equals(there), name).toBe(true)
    }
  })

  test('ends without an error on abort, also while the consumer waits', async () => {
    const stop = new AbortController()
    let bytes = 0
    const followed = (async () => {
      for await (const part of follow(stop.signal)) {
        bytes += part.bytes.length
        if (bytes > 8 * 1024 ** 2) setTimeout(() => stop.abort(), 50)
      }
    })()
    await expect(followed).resolves.toBeUndefined()
  })

  test('throws what the source says', async () => {
    const parts = follow(new AbortController().signal, 'wrong')
    await expect(parts.next()).rejects.toMatchObject({ code: 'ERR_SOURCE_LOGIN' })
  })

  /** Follows up to the end of `last`, then resets the source. */
  async function followIntoReset(last: string): Promise<void> {
    let isReset = false
    for await (const { file } of follow(AbortSignal.timeout(60_000))) {
      if (file !== last || isReset) continue
      isReset = true
      const root = await connectSql(server)
      const processes = async () => JSON.stringify(await root.query('SHOW PROCESSLIST'))
      await expect.poll(processes, { timeout: 60_000 }).toMatch(/has sent all binlog/)
      await root.query(resetStatement)
      await root.end()
    }
  }

  // The last ones: nothing of before is left.
  test('ends when the source is reset, which the source tells of a later file', async () => {
    const following = followIntoReset('binlog.000005')
    // Whichever is first: the source's word, or the look once a second at where it writes.
    await expect(following).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_SOURCE_(?:DUMP|STALE)$/),
    })
  })

  test('ends when the source is reset, which it does not tell of its first file', async () => {
    const root = await connectSql(server)
    await root.query('INSERT INTO app.t VALUES (1)')
    await root.end()
    const following = followIntoReset('binlog.000001')
    await expect(following).rejects.toMatchObject({ code: 'ERR_SOURCE_STALE', retryable: true })
  })
})
