import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isSameProcess } from '../../src/lab/servers/process-identity.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { adoptServer } from '../../src/lab/servers/start-server.ts'
import { describeFlavors, needs } from '../helpers/needs.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

let servers: TestServers

beforeEach(async () => {
  servers = await TestServers.create()
})

afterEach(() => servers.stop())

async function one(server: RunningServer, sql: string): Promise<unknown[]> {
  const connection = await connectSql(server)
  try {
    const [rows] = await connection.query({ sql, rowsAsArray: true })
    return (rows as unknown[][])[0] ?? []
  } finally {
    await connection.end()
  }
}

describeFlavors('%s', (flavor) => {
  test('starts, writes a row-based binlog with checksums and GTIDs, and stops', async () => {
    const server = await servers.start(flavor, { maxBinlogBytes: 8192, serverId: 77 })
    expect(server).toMatchObject({ flavor, serverId: 77, rootUser: 'root' })
    expect(server.version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(
      await one(
        server,
        'SELECT @@log_bin, @@binlog_format, @@binlog_checksum, @@max_binlog_size, @@server_id',
      ),
    ).toEqual([1, 'ROW', 'CRC32', 8192, 77])
    const gtid = flavor === 'mysql' ? '@@gtid_mode' : '@@gtid_strict_mode'
    expect(await one(server, `SELECT ${gtid}`)).toEqual([flavor === 'mysql' ? 'ON' : 1])
    expect(await one(server, "SELECT COUNT(*) FROM mysql.user WHERE User = ''")).toEqual([0])
    expect(await readdir(server.binlogDirectory)).toContain('binlog.000001')
    await server.stop()
    await server.exited
    expect(isSameProcess(server.pid, server.pidStartTicks)).toBe(false)
  })

  test('offers TLS over TCP with a certificate that its own file verifies', async () => {
    const server = await servers.start(flavor)
    const root = await connectSql(server)
    await root.query("CREATE USER 'far'@'127.0.0.1' IDENTIFIED BY 'secret'")
    await root.end()
    const login = { host: '127.0.0.1', port: server.port, user: 'far', password: 'secret' }
    const connection = await connectSql({ ...login, ...(server.tls && { tls: server.tls }) })
    const [rows] = await connection.query("SHOW STATUS LIKE 'Ssl_version'")
    await connection.end()
    expect(rows).toEqual([{ Variable_name: 'Ssl_version', Value: 'TLSv1.3' }])
  })

  test('keeps its data over a kill, also for a handle made from the record', async () => {
    const first = await servers.start(flavor)
    const connection = await connectSql(first)
    await connection.query('CREATE DATABASE kept')
    await connection.end()
    const uuid = await one(first, 'SELECT @@server_id, @@port')
    const handle = adoptServer(JSON.parse(JSON.stringify(first.record())))
    handle.kill('SIGKILL')
    await handle.exited
    const again = await servers.start(flavor, {
      directory: first.directory,
      port: first.port,
      serverId: first.serverId,
    })
    expect(await one(again, 'SELECT @@server_id, @@port')).toEqual(uuid)
    expect(await one(again, "SHOW DATABASES LIKE 'kept'")).toEqual(['kept'])
  })

  test('rejects with the end of the log when the server refuses its arguments', async () => {
    const start = servers.start(flavor, { arguments: ['--no-such-option-at-all'] })
    await expect(start).rejects.toMatchObject({
      code: 'ERR_SERVER_START',
      details: { log: expect.stringContaining('no-such-option-at-all') },
    })
  })
})

test('two MySQL servers have different server_uuids', needs('mysql'), async () => {
  const [a, b] = await Promise.all([servers.start('mysql'), servers.start('mysql')])
  expect(await one(a, 'SELECT @@server_uuid')).not.toEqual(await one(b, 'SELECT @@server_uuid'))
})

test('a detached server outlives the process that started it', needs('mariadb'), async () => {
  const module = new URL('../../src/lab/servers/start-server.ts', import.meta.url).href
  const options = JSON.stringify({
    flavor: 'mariadb',
    directory: `${servers.directory}/detached`,
    port: 0,
    serverId: 9,
    detached: true,
    durable: false,
    arguments: ['--skip-networking'],
  })
  const code = `import { startServer } from '${module}'
    console.log(JSON.stringify((await startServer(${options})).record()))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  await once(child, 'close')
  const server = adoptServer(JSON.parse(text))
  try {
    expect(await one(server, 'SELECT @@server_id')).toEqual([9])
  } finally {
    await server.stop()
  }
})
