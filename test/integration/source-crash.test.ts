import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { compareFiles } from '../../src/lab/compare/compare-spool.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { seeded } from '../helpers/seeded-random.ts'
import { SourceLoad } from '../helpers/source/source-load.ts'

const MIB = 1024 ** 2
const LARGE_ROWS = 64
const ROUNDS_MIN = 2
const ROUNDS_MAX = 6

/**
 * A source that crashes. MySQL cuts a transaction that was not written to its end out of its file
 * when it starts; MariaDB leaves the torn piece there for good, which no dump carries, so that the
 * spool's file is shorter then (ARCHITECTURE, "What it does not do yet").
 */
describeFlavors('a %s source that crashes', (flavor) => {
  let pair: ReplicatedPair
  let load: SourceLoad

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { source: { durable: true } })
    load = new SourceLoad(() => pair.source.socket, seeded(11))
    await load.create()
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE drama; CREATE TABLE drama.large (round INT, v LONGTEXT)')
    await sql.query('CREATE TABLE drama.small (n INT)')
    await sql.query('CREATE TABLE drama.prepared (n INT PRIMARY KEY) ENGINE=InnoDB')
    sql.destroy()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterEach(() => load.stop())
  afterAll(() => pair?.stop())

  async function binlogs(): Promise<string[]> {
    const names = await readdir(pair.source.binlogDirectory)
    return names.filter((name) => /^binlog\.\d+$/.test(name)).sort()
  }

  async function newestBytes(): Promise<number> {
    const newest = (await binlogs()).at(-1) ?? ''
    return (await stat(join(pair.source.binlogDirectory, newest))).size
  }

  async function count(sql: Connection, table: string): Promise<number> {
    const [rows] = await sql.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${table}`)
    return Number(rows[0]?.n)
  }

  /** Kills the source once a part of a large transaction is in its binlog. */
  async function crashWithinLarge(round: number): Promise<void> {
    const sql = await pair.sql()
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    sql.on('error', () => resolve())
    await sql.query('BEGIN')
    for (let row = 0; row < LARGE_ROWS; row += 1) {
      await sql.query(`INSERT INTO drama.large VALUES (${round}, REPEAT('v', ${MIB}))`)
    }
    const before = await newestBytes()
    const committing = sql.query('COMMIT').catch(() => resolve())
    while ((await newestBytes()) < before + 2 * MIB) await new Promise(setImmediate)
    pair.source.kill('SIGKILL')
    await Promise.all([committing, gone])
  }

  /** Of every file that is closed: the spool has it whole, or without its torn end. */
  async function expectSpoolIdentical(): Promise<void> {
    const sql = await pair.sql()
    await sql.query('FLUSH BINARY LOGS')
    await sql.query('INSERT INTO drama.small VALUES (0)')
    sql.destroy()
    await pair.synced()
    const stored = await pair.spoolFiles()
    expect(stored.map((path) => basename(path))).toEqual(await binlogs())
    for (const path of stored.slice(0, -1)) {
      const source = join(pair.source.binlogDirectory, basename(path))
      const { difference } = await compareFiles(source, path)
      const [ours, theirs] = [(await stat(path)).size, (await stat(source)).size]
      if (flavor === 'mysql' || ours === theirs) expect(difference).toBeNull()
      else expect(difference).toBe(`source has ${theirs} bytes, spool ${ours}`)
      expect(ours).toBeLessThanOrEqual(theirs)
    }
    await pair.readWithTool(...stored)
  }

  async function expectAllEqual(): Promise<void> {
    await load.stop()
    await expectSpoolIdentical()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  }

  test.each([1, 0])('within a large transaction (sync_binlog=%d): it never was', async (sync) => {
    let neverWere = 0
    // On a busy machine the commit may be over before the kill: then it is tried again.
    const isEnough = (round: number) => round > (neverWere > 0 ? ROUNDS_MIN : ROUNDS_MAX)
    for (let round = 1; !isEnough(round); round += 1) {
      await crashWithinLarge(round)
      await pair.restart('source', 'SIGKILL', { arguments: [`--sync-binlog=${sync}`] })
      const sql = await pair.sql()
      // All of it or nothing: that is the source's own promise.
      const rows = await count(sql, `drama.large WHERE round = ${round}`)
      expect([0, LARGE_ROWS]).toContain(rows)
      if (rows === 0) neverWere += 1
      await sql.query(`INSERT INTO drama.small VALUES (${round})`)
      sql.destroy()
      await pair.synced()
    }
    expect(neverWere).toBeGreaterThan(0)
    const sql = await pair.sql()
    await sql.query('DELETE FROM drama.large')
    sql.destroy()
    await expectAllEqual()
  })

  test('with XA transactions prepared: each goes on as its owner decides', async () => {
    for (const n of [1, 2]) {
      const sql = await pair.sql()
      await sql.query(`XA START 'x${n}'`)
      await sql.query(`INSERT INTO drama.prepared VALUES (${n})`)
      await sql.query(`XA END 'x${n}'`)
      await sql.query(`XA PREPARE 'x${n}'`)
      sql.destroy()
    }
    await pair.synced()
    await pair.restart('source', 'SIGKILL')
    const sql = await pair.sql()
    const [prepared] = await sql.query<RowDataPacket[]>('XA RECOVER')
    expect(prepared.map(({ data }) => String(data)).sort()).toEqual(['x1', 'x2'])
    await sql.query("XA COMMIT 'x1'")
    await pair.restart('replica', 'SIGKILL')
    await sql.query("XA ROLLBACK 'x2'")
    expect(await count(sql, 'drama.prepared')).toBe(1)
    sql.destroy()
    await expectAllEqual()
  })

  test('or is restarted again and again under load loses nothing', async () => {
    load.start()
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGTERM'] as const) {
      const before = load.transactions
      await pair.eventually(() => load.transactions > before + 10)
      await pair.restart('source', signal)
    }
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    await expectAllEqual()
  })
})
