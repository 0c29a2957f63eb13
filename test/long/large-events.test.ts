import { createHash, randomBytes } from 'node:crypto'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { describeFlavors } from '../helpers/needs.ts'
import { processBytes, ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { installBlackhole } from '../helpers/servers/blackhole.ts'

const MIB = 1024 ** 2
const MEMORY_BYTES_MAX = 200e6
const LIMIT_SECONDS = 1_200
const PATTERN = '0123456789abcdef'
/** Beside the value, the event needs some room within the 1 GiB that a replica takes at most. */
const ROW_BYTES = 1024 ** 3 - 1024
const COMPRESSIBLE_BYTES = 96 * MIB

/**
 * One row of nearly 1 GiB: max_allowed_packet allows no larger value, and a replica takes no larger
 * event (MySQL: replica_max_allowed_packet, MariaDB: slave_max_allowed_packet, both 1 GiB at most).
 * And rows that compress to half their size, so that what is compressed needs several packets:
 * MySQL's payloads (binlog_transaction_compression) and MariaDB's events (log_bin_compress), of
 * which the other flavour has neither.
 */
describeFlavors('a large event of %s', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, {
      source: { maxBinlogBytes: 1024 ** 3 },
      replica: { arguments: ['--skip-log-bin'] },
    })
    if (pair.replica === null) throw new Error('there is no replica')
    for (const server of [pair.source, pair.replica]) await installBlackhole(pair, server)
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE large; CREATE TABLE large.t (v LONGBLOB) ENGINE = BLACKHOLE')
    await pair.compareTables()
    // The source logs rows and does not keep them; the replica keeps what it was sent.
    const replica = await pair.sql(pair.replica)
    await replica.query('SET sql_log_bin = 0; ALTER TABLE large.t ENGINE = MyISAM')
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  /** Runs the statements and waits until the replica has what they wrote. */
  async function insert(...statements: readonly string[]): Promise<void> {
    const sql = await pair.sql()
    for (const statement of statements) await sql.query(statement)
    sql.destroy()
    expect(await pair.compareSpool(LIMIT_SECONDS)).toMatchObject({ identical: true, failures: [] })
    const { failures } = await pair.compareTables(LIMIT_SECONDS)
    // Its engine is another there, and it has rows.
    expect(failures).toEqual([expect.stringContaining('table `large`.`t`')])
    for (const site of ['production', 'dr'] as const) {
      const bytes = await processBytes(pair.pair.pid(site), 'VmHWM')
      console.log(`${flavor} ${site}: at most ${(bytes / 1e6).toFixed(0)} MB resident`)
      expect(bytes).toBeLessThan(MEMORY_BYTES_MAX)
    }
  }

  /** Length and digest of the one row that the replica has, which goes. */
  async function takeRow() {
    const sql = await pair.sql(pair.replica ?? undefined)
    const [rows] = await sql.query<RowDataPacket[]>(
      'SELECT LENGTH(v) AS bytes, SHA2(v, 256) AS digest FROM large.t',
    )
    await sql.query('SET sql_log_bin = 0; TRUNCATE TABLE large.t')
    sql.destroy()
    return rows.map(({ bytes, digest }) => ({ bytes: Number(bytes), digest: String(digest) }))
  }

  test('of nearly 1 GiB reaches the replica with both gateways below 200 MB', async () => {
    await insert(`INSERT INTO large.t VALUES (REPEAT('${PATTERN}', ${ROW_BYTES / PATTERN.length}))`)
    const sizes = await Promise.all((await pair.spoolFiles()).map((path) => stat(path)))
    expect(Math.max(...sizes.map(({ size }) => size))).toBeGreaterThan(ROW_BYTES)
    const hash = createHash('sha256')
    const part = Buffer.from(PATTERN.repeat(64))
    for (let bytes = 0; bytes < ROW_BYTES; bytes += part.length) hash.update(part)
    expect(await takeRow()).toEqual([{ bytes: ROW_BYTES, digest: hash.digest('hex') }])
  })

  test('that is compressed and still needs several packets reaches it too', async () => {
    const before = await spoolBytes()
    const text = randomBytes(COMPRESSIBLE_BYTES / 2).toString('hex')
    const path = join(pair.servers.directory, 'compressible')
    await writeFile(path, text, { mode: 0o644 })
    await insert(
      flavor === 'mysql'
        ? 'SET SESSION binlog_transaction_compression = ON'
        : 'SET GLOBAL log_bin_compress = ON',
      `INSERT INTO large.t VALUES (LOAD_FILE('${path}'))`,
      ...(flavor === 'mariadb' ? ['SET GLOBAL log_bin_compress = OFF'] : []),
    )
    const added = (await spoolBytes()) - before
    expect(added).toBeGreaterThan(COMPRESSIBLE_BYTES / 2)
    expect(added).toBeLessThan(COMPRESSIBLE_BYTES * 0.7)
    const digest = createHash('sha256').update(text).digest('hex')
    expect(await takeRow()).toEqual([{ bytes: COMPRESSIBLE_BYTES, digest }])
  })

  async function spoolBytes(): Promise<number> {
    const files = await Promise.all((await pair.spoolFiles()).map((path) => stat(path)))
    return files.reduce((sum, { size }) => sum + size, 0)
  }
})
