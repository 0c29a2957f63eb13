import type { Connection } from 'mysql2/promise'
import { installBlackhole } from '../servers/blackhole.ts'
import type { ReplicatedPair } from './replicated-pair.ts'

const MIB = 1024 ** 2
/** Where offsets of 32 bits begin again. */
export const WRAP_BYTES = 2 ** 32
const ROW_BYTES = 64 * MIB
/** Of the one transaction that fills the file beyond 4 GiB. */
const HUGE_ROWS = 66
/** Behind it, in the same file, each with one row of that size and one that is kept. */
export const SMALL_TRANSACTIONS = 6
/** Until a server has seen a statement. */
const COMMIT_MS = 300_000
export const HUGE_BYTES = HUGE_ROWS * ROW_BYTES

/** A table whose rows are logged and not kept, and one whose rows are. */
export async function createBeyondTables(pair: ReplicatedPair): Promise<void> {
  await installBlackhole(pair, pair.source)
  const sql = await pair.sql()
  await sql.query(
    'CREATE DATABASE beyond; USE beyond;' +
      'CREATE TABLE logged (v LONGBLOB) ENGINE = BLACKHOLE;' +
      'CREATE TABLE kept (id INT PRIMARY KEY, v VARCHAR(50))',
  )
  sql.destroy()
}

/**
 * Makes the source's current file larger than 4 GiB, with transactions that begin behind that.
 *
 * A server closes a file of more than 1 GiB after the commit that made it so. What commits in the
 * same group still gets into it: MariaDB is told to wait for the whole group before it writes, and
 * MySQL to wait between writing a group and closing the file, so that the next one gets in.
 */
export async function writeBeyondWrap(pair: ReplicatedPair): Promise<void> {
  const admin = await pair.sql()
  await admin.query(
    pair.flavor === 'mysql'
      ? 'SET GLOBAL binlog_group_commit_sync_delay = 1000000'
      : `SET GLOBAL binlog_commit_wait_count = ${SMALL_TRANSACTIONS + 1},
           GLOBAL binlog_commit_wait_usec = 100000000`,
  )
  const huge = await begun(pair, 0, HUGE_ROWS)
  const small = await Promise.all(
    Array.from({ length: SMALL_TRANSACTIONS }, (_, at) => begun(pair, at + 1, 1)),
  )
  const commits: Promise<unknown>[] = []
  for (const connection of [huge, ...small]) {
    let committed = false
    const id = connection.threadId
    commits.push(connection.query('COMMIT').then(() => (committed = true)))
    await pair.eventually(async () => {
      const [rows] = await admin.query(
        `SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ${id} AND INFO = 'COMMIT'`,
      )
      return committed || (rows as unknown[]).length === 1
    }, COMMIT_MS)
  }
  await Promise.all(commits)
  await admin.query(
    pair.flavor === 'mysql'
      ? 'SET GLOBAL binlog_group_commit_sync_delay = 0'
      : 'SET GLOBAL binlog_commit_wait_count = 0',
  )
  for (const connection of [admin, huge, ...small]) connection.destroy()
}

/** A transaction with so many large rows, not committed yet. */
async function begun(pair: ReplicatedPair, id: number, rows: number): Promise<Connection> {
  const connection = await pair.sql()
  await connection.query('USE beyond; BEGIN')
  await connection.query(
    `INSERT INTO logged WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n
       WHERE i < ${rows}) SELECT REPEAT(CHAR(65 + ${id}), ${ROW_BYTES}) FROM n`,
  )
  await connection.query(`INSERT INTO kept VALUES (${id}, 'of transaction ${id}')`)
  return connection
}
