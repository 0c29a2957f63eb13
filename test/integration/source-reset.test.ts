import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { replicaKey } from '../../src/mysql/replica-name.ts'
import type { GatewayStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { copyData, resetSource, selected } from '../helpers/source/source-reset.ts'

const run = promisify(execFile)
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

function epochOf({ streams }: GatewayStatus): number | null {
  return streams[0]?.spool?.synced?.epoch ?? null
}

/** What a command at the gateway of the copy prints. */
async function landbridge(pair: ReplicatedPair, ...args: readonly string[]): Promise<string> {
  const main = `import(${JSON.stringify(MAIN)}).then(({ main }) => main(process.argv.slice(1)))`
  const config = ['--config', pair.pair.configPath('dr')]
  return (await run(process.execPath, ['-e', main, ...args, ...config])).stdout
}

/** Binlog files of an epoch's folder, by name, with what they hold. */
async function digests(pair: ReplicatedPair, epoch: number): Promise<Record<string, string>> {
  const folder = join(pair.pair.spoolDirectory, String(epoch).padStart(6, '0'))
  const names = (await readdir(folder)).filter((name) => /\.\d+$/.test(name)).sort()
  const entries = names.map(async (name) => {
    const hash = createHash('sha256').update(await readFile(join(folder, name)))
    return [name, hash.digest('hex')] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

async function createTable(sql: Connection): Promise<void> {
  await sql.query('CREATE DATABASE IF NOT EXISTS d')
  await sql.query('CREATE TABLE IF NOT EXISTS d.t (id INT PRIMARY KEY AUTO_INCREMENT, v REAL)')
}

async function write(sql: Connection, rows: number): Promise<void> {
  for (let row = 0; row < rows; row += 1) await sql.query('INSERT INTO d.t (v) VALUES (RAND())')
}

describeFlavors('a %s source that is reset', (flavor) => {
  let pair: ReplicatedPair
  let sql: Connection
  let replica: Connection
  let before: Record<string, string>

  beforeAll(async () => {
    // So little that all of before would go at once, were it not held.
    const spool = { retention: { size: '1KiB' } }
    pair = await ReplicatedPair.create(flavor, { gateways: { spool } })
    if (pair.replica === null) throw new Error('no replica')
    sql = await pair.sql()
    replica = await pair.sql(pair.replica)
    await createTable(sql)
    await write(sql, 30)
    await replica.query('SET sql_log_bin = 0')
    if (flavor === 'mysql') {
      await replica.query("GRANT SELECT ON performance_schema.* TO landbridge@'127.0.0.1'")
    }
    await replica.query('SET sql_log_bin = 1')
    await pair.synced()
    expect(await pair.compareTables()).toMatchObject({ equal: true })
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function replicaStatus(): Promise<Record<string, unknown>> {
    const [rows] = await replica.query(`SHOW ${flavor === 'mysql' ? 'REPLICA' : 'SLAVE'} STATUS`)
    return (rows as Record<string, unknown>[])[0] ?? {}
  }

  async function refused(): Promise<void> {
    // Another error may come first: that it lost a relay which starts again.
    const errno = flavor === 'mysql' ? 13_114 : 1236
    await pair.eventually(async () => Number((await replicaStatus()).Last_IO_Errno) === errno)
    const status = await replicaStatus()
    expect(status.Last_IO_Error).toMatch(/source was reset .* landbridge replica detach/)
  }

  async function key(): Promise<string> {
    const serverUuid = flavor === 'mysql' ? await selected(replica, '@@server_uuid') : null
    return replicaKey({ serverId: 2, serverUuid })
  }

  /** What an operator does: the source's data and its GTIDs, then detach and attach. */
  async function reseed(): Promise<void> {
    await copyData(pair, sql, replica, 'd.t')
    expect(await landbridge(pair, 'replica', 'detach', await key())).toMatch(
      /the gateway forgot replica/,
    )
    if (pair.replica !== null) await pair.attach(pair.replica)
  }

  test('under load goes on by itself in a new epoch; replicas of before are refused', async () => {
    const stopping = new AbortController()
    const loading = (async () => {
      const writer = await pair.sql()
      while (!stopping.signal.aborted) await write(writer, 1)
    })()
    await resetSource(pair, sql)
    await pair.pair.until('dr', (status) => epochOf(status) === 2)
    before = await digests(pair, 1)
    stopping.abort()
    await loading
    await pair.synced()
    await refused()
    const { problems } = await pair.pair.until('dr', ({ streams }) => {
      return streams[0]?.replicas[0]?.applyError !== null
    })
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ code: 'ERR_SOURCE_RESET', severity: 'warning' }),
        expect.objectContaining({ code: 'ERR_REPLICA_OUTDATED', severity: 'blocked' }),
      ]),
    )
    expect(await pair.compareSpool()).toMatchObject({ identical: true })
    const planned = await pair.pair.command('dr', 'replica', 'attach', '--dry-run')
    expect(planned.exitCode).toBe(1)
    expect(planned.stdout).toMatch(/error: the source was reset .*\n.*replica detach/)
  })

  test('keeps them refused when its GTIDs pass theirs, over a restart too', async () => {
    await write(sql, 60)
    await pair.synced()
    await pair.restartGateway('dr')
    await pair.synced()
    if (pair.replica !== null) await pair.control(pair.replica, 'START')
    await refused()
    const { problems, streams } = await pair.pair.until('dr', (status) => {
      const lag = status.streams[0]?.receiveLag
      const own = status.streams[0]?.replicas[0]
      // The gateway may have asked the replica last when it was still without a relay.
      const isAsked = typeof own?.appliedGtids === 'string' && /reset/.test(own.applyError ?? '')
      return lag?.ms === 0 && lag.transactions === 0 && isAsked
    })
    expect(problems.map(({ code }) => code)).toContain('ERR_REPLICA_OUTDATED')
    // It has every GTID that is held, and none of the transactions.
    expect(streams[0]?.replicas).toMatchObject([
      { applyLag: null, applyError: expect.stringMatching(/source was reset/) },
    ])
  })

  test('serves a replica that was made anew and detached, and all is equal', async () => {
    await reseed()
    await write(sql, 20)
    // With the next file the limits are looked at.
    await sql.query('FLUSH BINARY LOGS')
    await write(sql, 1)
    expect(await pair.compareTables()).toMatchObject({ equal: true })
    await pair.pair.until('dr', ({ problems, streams }) => {
      const lag = streams[0]?.replicas[0]?.applyLag
      const isSettled = problems.every(({ code }) => !/RESET|OUTDATED/.test(code))
      return isSettled && lag?.transactions === 0 && lag.ms === 0
    })
    expect(await digests(pair, 1)).toEqual(before)
    const told = await pair.pair.status('dr')
    expect(told?.problems).toContainEqual(
      expect.objectContaining({ code: 'ERR_SPOOL_HELD', severity: 'warning' }),
    )
  })

  test('is noticed when nobody looked, and it has more than before again', async () => {
    await pair.synced()
    const held = await digests(pair, 2)
    await pair.pair.kill('production')
    await resetSource(pair, sql)
    await write(sql, 400)
    await pair.pair.start('production')
    await pair.pair.until('dr', (status) => epochOf(status) === 3)
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true })
    expect(await digests(pair, 2)).toEqual(held)
    await refused()
  })

  test('twice while nobody looked is one new epoch; a replica made anew equals it', async () => {
    await pair.synced()
    await pair.pair.kill('production')
    for (const rows of [5, 3]) {
      await resetSource(pair, sql)
      await write(sql, rows)
    }
    await pair.pair.start('production')
    await pair.pair.until('dr', (status) => epochOf(status) === 4)
    await pair.synced()
    await reseed()
    await write(sql, 10)
    expect(await pair.compareTables()).toMatchObject({ equal: true })
    expect(await pair.compareSpool()).toMatchObject({ identical: true })
    expect(await digests(pair, 1)).toEqual(before)
  })
})

describeFlavors('a %s source without a replica at DR', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { attach: false })
    await pair.held()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  test('is followed through a reset before its first transaction', async () => {
    const sql = await pair.sql()
    await pair.pair.kill('production')
    await resetSource(pair, sql)
    await pair.pair.start('production')
    await pair.pair.until('dr', (status) => epochOf(status) === 2)
    await createTable(sql)
    await write(sql, 5)
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true })
    const status = await pair.pair.status('dr')
    expect(status?.problems.map(({ code }) => code)).not.toContain('ERR_SOURCE_RESET')
  })

  test('that lost transactions is no reset: the stream stays blocked', async () => {
    const { directory } = pair.source
    await createTable(await pair.sql())
    await pair.synced()
    const folders = await readdir(pair.pair.spoolDirectory)
    const copy = `${directory}.copy`
    await pair.source.stop()
    await cp(directory, copy, { recursive: true })
    await pair.restart('source', 'SIGTERM')
    await write(await pair.sql(), 5)
    await pair.synced()
    await pair.source.stop()
    await rm(directory, { recursive: true })
    await cp(copy, directory, { recursive: true })
    await pair.restart('source', 'SIGTERM')
    for (const site of ['dr', 'production'] as const) {
      const told = await pair.pair.until(site, ({ state }) => state === 'blocked')
      const diverged = told.problems.find(({ code }) => code === 'ERR_SOURCE_DIVERGED')
      expect(diverged?.message).toMatch(flavor === 'mysql' ? /[0-9a-f-]{36}:\d+/ : /0-1-\d+/)
      expect(diverged?.remedy).toBeTruthy()
    }
    await expect(landbridge(pair, 'status')).rejects.toMatchObject({ code: 3 })
    // The new transactions have the GTIDs of the lost ones, and more.
    await write(await pair.sql(), 20)
    await pair.restartGateway('production')
    const { problems } = await pair.pair.until('dr', ({ state }) => state === 'blocked')
    expect(problems.map(({ code }) => code)).toContain('ERR_SOURCE_DIVERGED')
    expect(await readdir(pair.pair.spoolDirectory)).toEqual(folders)
  })
})
