import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { Secret } from '../../src/base/secret.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { type PreflightFinding, preflight } from '../../src/source/preflight.ts'
import { readPreflightFacts } from '../../src/source/preflight-facts.ts'
import type { DumpTarget } from '../../src/source/socket-pump.ts'
import { type SourceAddress, SourceConnection } from '../../src/source/source-connection.ts'
import { readSourceFacts } from '../../src/source/source-facts.ts'
import { SourceReader } from '../../src/source/source-reader.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { tlsOf } from '../helpers/servers/server-tls.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

const OUR_UUID = '7f3c0a52-93b1-11ef-8a0f-0242ac120002'
const self = { serverId: 4_100_000_001, replicaUuid: OUR_UUID, reportHost: 'ec2' }
const never = new AbortController().signal

function addressOf(server: RunningServer, user: string): SourceAddress {
  return {
    host: '127.0.0.1',
    port: server.port,
    user,
    password: new Secret('secret'),
    tls: tlsOf(server),
  }
}

async function look(
  server: RunningServer,
  { user = 'reader', who = self, clock = systemClock } = {},
): Promise<PreflightFinding[]> {
  const connection = await SourceConnection.open(addressOf(server, user), never)
  try {
    const facts = await readSourceFacts(connection)
    return preflight(await readPreflightFacts(connection, facts, who, clock))
  } finally {
    connection.close()
  }
}

const flaws = async (...parts: Parameters<typeof look>) =>
  (await look(...parts)).filter(({ severity }) => severity !== 'ok')

describeFlavors('preflight of a real source, %s', (flavor) => {
  const isMysql = flavor === 'mysql'
  let servers: TestServers
  let server: RunningServer
  let root: Connection

  const GOOD = [
    'SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1',
    "SET GLOBAL binlog_checksum = 'CRC32', GLOBAL binlog_format = 'ROW'",
    'SET GLOBAL net_write_timeout = 60, GLOBAL server_id = 1',
    "SET GLOBAL binlog_expire_logs_seconds = 2592000, GLOBAL binlog_row_image = 'FULL'",
  ]

  beforeAll(async () => {
    servers = await TestServers.create()
    server = await servers.start(flavor, { serverId: 1 })
    root = await connectSql(server)
    for (const user of ['reader', 'blind', 'mighty', 'member']) {
      await root.query(`CREATE USER ${user} IDENTIFIED BY 'secret'`)
    }
    await root.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader')
    await root.query('GRANT ALL PRIVILEGES ON *.* TO mighty')
    await root.query('CREATE ROLE readers')
    await root.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO readers')
    await root.query('GRANT readers TO member')
    await root.query(`SET DEFAULT ROLE readers ${isMysql ? 'TO' : 'FOR'} member`)
    for (const sql of GOOD) await root.query(sql)
  })

  afterEach(async () => {
    for (const sql of GOOD) await root.query(sql)
  })

  afterAll(async () => {
    await root.end()
    await servers.stop()
  })

  test('finds a well-kept source and a login with just what it needs good', async () => {
    const findings = await look(server)
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([])
    expect(findings.length).toBeGreaterThan(10)
    expect(await flaws(server, { user: 'member' })).toEqual([])
  })

  test.each([
    ["binlog_format = 'STATEMENT'", 'ERR_SOURCE_FORMAT'],
    ["binlog_checksum = 'NONE'", 'ERR_SOURCE_CHECKSUM'],
    ['binlog_expire_logs_seconds = 3600', 'ERR_SOURCE_RETENTION'],
    ['sync_binlog = 0', 'ERR_SOURCE_DURABILITY'],
    ['innodb_flush_log_at_trx_commit = 2', 'ERR_SOURCE_DURABILITY'],
  ] as const)('warns of %s, and the statement of its fix mends it', async (assignment, code) => {
    await root.query(`SET GLOBAL ${assignment}`)
    const [flaw, ...others] = await flaws(server)
    expect(others).toEqual([])
    expect(flaw).toMatchObject({ code, severity: 'warning' })
    await root.query(flaw?.fix ?? '')
    expect(await flaws(server)).toEqual([])
  })

  test('reads 0 as a retention without end', async () => {
    await root.query('SET GLOBAL binlog_expire_logs_seconds = 0')
    const findings = await look(server)
    expect(findings.find(({ code }) => code === 'ERR_SOURCE_RETENTION')).toMatchObject({
      severity: 'ok',
      message: expect.stringMatching(/never/),
    })
  })

  test('refuses a login without privileges; the GRANT of its fix lets it in', async () => {
    const [flaw] = await flaws(server, { user: 'blind' })
    expect(flaw).toMatchObject({ code: 'ERR_SOURCE_GRANTS', severity: 'error' })
    const monitor = isMysql ? 'REPLICATION CLIENT' : 'BINLOG MONITOR'
    expect(flaw?.message).toBe(`the login blind@% lacks REPLICATION SLAVE and ${monitor}`)
    const options = { ...self, address: addressOf(server, 'blind'), clock: systemClock }
    const reader = new SourceReader({ ...options, log: silentLog })
    await expect(reader.open(null, never)).rejects.toMatchObject({
      code: 'ERR_SOURCE_GRANTS',
      retryable: false,
      remedy: flaw?.fix,
    })
    await root.query(flaw?.fix ?? '')
    expect(await flaws(server, { user: 'blind' })).toEqual([])
    await expect(reader.open(null, never)).resolves.toMatchObject({ facts: { flavor } })
  })

  test('warns of a login that may do everything; its fix leaves what is needed', async () => {
    const [flaw] = await flaws(server, { user: 'mighty' })
    expect(flaw).toMatchObject({ code: 'ERR_SOURCE_GRANTS_WIDE', severity: 'warning' })
    for (const sql of flaw?.fix?.split(';') ?? []) await root.query(sql)
    expect(await flaws(server, { user: 'mighty' })).toEqual([])
  })

  test('refuses a source that has our server_id', async () => {
    const who = { ...self, serverId: 1 }
    expect(await flaws(server, { who })).toMatchObject([
      { code: 'ERR_SOURCE_SERVER_ID', severity: 'error' },
    ])
    if (!isMysql) return
    await root.query('SET GLOBAL server_id = 0')
    const [flaw] = await flaws(server)
    expect(flaw).toMatchObject({ code: 'ERR_SOURCE_SERVER_ID', severity: 'error' })
  })

  test('sees another replica with our server_id, where the login may list them', async () => {
    const stop = new AbortController()
    const seen = Promise.withResolvers<void>()
    const reader = new SourceReader({
      ...self,
      replicaUuid: '00000000-0000-4000-8000-000000000001',
      reportHost: 'elsewhere',
      // The source notices with its next heartbeat that we are gone.
      heartbeatMs: 200,
      address: addressOf(server, 'reader'),
      clock: systemClock,
      log: silentLog,
    })
    const { run } = await reader.open(null, never)
    const ended = run(
      targetOf(() => seen.resolve()),
      stop.signal,
    ).catch(() => undefined)
    await seen.promise
    const user = isMysql ? 'reader' : 'admin'
    if (!isMysql) {
      await root.query("CREATE USER admin IDENTIFIED BY 'secret'")
      const needed = 'REPLICATION SLAVE, BINLOG MONITOR, REPLICATION MASTER ADMIN'
      await root.query(`GRANT ${needed} ON *.* TO admin`)
    }
    expect(await flaws(server, { user })).toMatchObject([
      {
        code: 'ERR_SOURCE_SERVER_ID',
        severity: isMysql ? 'warning' : 'error',
        message: 'the replica elsewhere of the source has our server_id 4100000001',
      },
    ])
    stop.abort()
    await ended
    await expect.poll(() => flaws(server, { user }), { timeout: 60_000 }).toEqual([])
  })

  test('measures the clock of the source against ours', async () => {
    // So far off that a slow answer makes no difference.
    const clock = { ...systemClock, wallMs: () => Date.now() + 3_650_000 }
    expect(await flaws(server, { clock })).toMatchObject([
      { code: 'ERR_SOURCE_CLOCK', message: expect.stringMatching(/ 36[0-9]{2}\.\d s behind/) },
    ])
  })

  if (isMysql) {
    test('tells the way to GTIDs, step by step, from where the source stands', async () => {
      for (const mode of ['ON_PERMISSIVE', 'OFF_PERMISSIVE', 'OFF']) {
        await root.query(`SET GLOBAL gtid_mode = ${mode}`)
      }
      await root.query('SET GLOBAL enforce_gtid_consistency = OFF')
      const [flaw, ...others] = await flaws(server)
      expect(others).toEqual([])
      expect(flaw).toMatchObject({ code: 'ERR_SOURCE_NO_GTID', severity: 'error' })
      for (const sql of flaw?.fix?.split(';').filter(Boolean) ?? []) await root.query(sql)
      expect(await flaws(server)).toEqual([])
    })
  }

  test('names how rows are written', async () => {
    await root.query("SET GLOBAL binlog_row_image = 'MINIMAL'")
    const compression = isMysql ? 'binlog_transaction_compression' : 'log_bin_compress'
    await root.query(`SET GLOBAL ${compression} = ON`)
    const findings = await look(server)
    await root.query(`SET GLOBAL ${compression} = OFF`)
    const rows = findings.find(({ code }) => code === 'ERR_SOURCE_ROWS')?.message
    expect(rows).toMatch(/^row image MINIMAL, row metadata (MINIMAL|NO_LOG)/)
    expect(rows).toContain(`${compression} is ON`)
  })

  test('a dump outlives a pause that is longer than the source’s net_write_timeout', async () => {
    await root.query('CREATE DATABASE IF NOT EXISTS pause')
    await root.query('CREATE TABLE IF NOT EXISTS pause.t (b LONGBLOB)')
    for (let n = 0; n < 6; n += 1) {
      await root.query("INSERT INTO pause.t VALUES (REPEAT('x', 8388608))")
    }
    await root.query('SET GLOBAL net_write_timeout = 1')
    const findings = await look(server)
    expect(findings.find(({ code }) => code === 'ERR_SOURCE_NET_TIMEOUT')).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining('3600 s (net_write_timeout; 1 s for others)'),
    })
    const stop = new AbortController()
    let bytes = 0
    const enough = Promise.withResolvers<void>()
    const target = targetOf((length) => {
      bytes += length
      if (bytes > 48 * 1024 ** 2) enough.resolve()
    }, 4000)
    const options = { ...self, address: addressOf(server, 'reader'), clock: systemClock }
    const { run } = await new SourceReader({ ...options, log: silentLog }).open(null, never)
    const ended = run(target, stop.signal)
    await Promise.race([enough.promise, ended])
    stop.abort()
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describeFlavors('a source without a binary log, %s', (flavor) => {
  test('is refused, with the line of its configuration that mends it', async () => {
    await using servers = await TestServers.create()
    const server = await servers.start(flavor, { arguments: ['--skip-log-bin'], tls: false })
    const root = await connectSql(server)
    await root.query("CREATE USER reader IDENTIFIED BY 'secret'")
    await root.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO reader')
    await root.end()
    const errors = (await look(server)).filter(({ severity }) => severity === 'error')
    expect(errors).toMatchObject([
      { code: 'ERR_SOURCE_NO_BINLOG', fix: expect.stringMatching(/^log_bin = /) },
    ])
  })
})

/** Counts what comes; takes nothing for `pauseMs` after the first megabyte. */
function targetOf(onBytes: (length: number) => void, pauseMs = 0): DumpTarget {
  let taken = 0
  let paused = pauseMs === 0
  return {
    accepted: () => undefined,
    file: () => onBytes(0),
    bytes: (_chunk, start, end) => {
      taken += end - start
      onBytes(end - start)
    },
    chunkEnd: () => undefined,
    get hasRoom() {
      return paused || taken < 1024 ** 2
    },
    room: async (signal) => {
      await systemClock.sleep(pauseMs, { signal })
      paused = true
    },
  }
}
