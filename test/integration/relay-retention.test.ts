import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import type { StreamStatus } from '../../src/status/status.ts'
import { needs } from '../helpers/needs.ts'
import { LoopbackPair } from '../helpers/pair/loopback-pair.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

const run = promisify(execFile)
const LANDBRIDGE = fileURLToPath(new URL('../../src/cli/landbridge.mjs', import.meta.url))
const LOGIN = { user: 'landbridge', password: 'secret' }

let servers: TestServers
let pair: LoopbackPair
let source: Connection
let replica: Connection

/** MariaDB, because its replica drops what it had received and asks again for what it lacks. */
beforeAll(async () => {
  servers = await TestServers.create()
  const [production, dr] = await Promise.all([
    servers.start('mariadb', { serverId: 1 }),
    servers.start('mariadb', { serverId: 2 }),
  ])
  source = await login(production, 'REPLICATION SLAVE, BINLOG MONITOR')
  replica = await login(dr, 'REPLICATION SLAVE ADMIN, SLAVE MONITOR, RELOAD')
  await replica.query('SET GLOBAL read_only = ON')
  pair = await LoopbackPair.create({
    source: { port: production.port, ...LOGIN },
    replica: { port: dr.port, ...LOGIN },
    spool: { retention: { size: '1KiB' } },
  })
  await pair.start('production')
  await pair.start('dr')
  await streamUntil(({ spool }) => (spool?.bytes ?? 0) > 0)
})

afterAll(async () => {
  for (const connection of [source, replica]) connection?.destroy()
  await pair?.stop()
  await servers?.stop()
})

async function login(server: RunningServer, grants: string): Promise<Connection> {
  const sql = await connectSql({ socket: server.socket })
  const account = `${LOGIN.user}@'127.0.0.1'`
  await sql.query('SET sql_log_bin = 0')
  await sql.query(`CREATE USER ${account} IDENTIFIED BY '${LOGIN.password}'`)
  await sql.query(`GRANT ${grants} ON *.* TO ${account}`)
  await sql.query('SET sql_log_bin = 1')
  return sql
}

async function streamUntil(accept: (stream: StreamStatus) => boolean): Promise<StreamStatus> {
  const matches = ([stream]: readonly StreamStatus[]) => stream !== undefined && accept(stream)
  const { streams } = await pair.until('dr', (status) => matches(status.streams))
  return streams[0] as StreamStatus
}

async function replicaCommand(verb: 'attach' | 'detach'): Promise<string> {
  const argv = [LANDBRIDGE, 'replica', verb, '--config', pair.configPath('dr')]
  return (await run(process.execPath, argv)).stdout
}

/** Some files at the source, of which each is past what retention would keep. */
async function fillFiles(): Promise<string> {
  for (let count = 0; count < 3; count += 1) {
    await source.query('CREATE OR REPLACE TABLE test.t (v LONGTEXT)')
    await source.query("INSERT INTO test.t VALUES (REPEAT('x', 2000))")
    await source.query('FLUSH BINARY LOGS')
  }
  const [rows] = await source.query('SHOW MASTER STATUS')
  return (rows as { readonly File: string }[])[0]?.File ?? ''
}

test(
  'a spool keeps what its replica has not applied, but not for a detached one',
  needs('mariadb'),
  async () => {
    await source.query('CREATE DATABASE IF NOT EXISTS test')
    expect(await replicaCommand('attach')).toContain('will not verify the relay')
    const attached = await streamUntil(({ replicas }) => replicas[0]?.state === 'caught-up')
    await replica.query('STOP SLAVE SQL_THREAD')
    const newest = await fillFiles()
    const lagging = await streamUntil(({ replicas }) => replicas[0]?.sent?.file === newest)
    const needed = attached.replicas[0]?.sent?.file
    expect(lagging.replicas[0]?.retainsFile).toBe(needed)
    expect(lagging.spool).toMatchObject({ oldestFile: needed, files: 4 })

    expect(await replicaCommand('detach')).toContain('the gateway keeps no files for it any more')
    const last = await fillFiles()
    const detached = await streamUntil(({ spool }) => spool?.synced?.file === last)
    // The file before the newest goes with the next change of files, or the next minute.
    expect(detached.spool?.claims).toEqual([])
    expect(detached.spool?.files).toBeLessThanOrEqual(2)
  },
)
