import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { SOURCE_GRANTS } from '../../src/mysql/grants.ts'
import { LOGINS } from './logins.ts'

const WRITERS = 4
const ROWS_PER_CALL = 2_000

/**
 * Fills the source's binlog to about `bytes`: autocommitted single-row inserts, updates and a few
 * larger ones, so that most events are some hundred bytes, as in a shop's database.
 */
export async function fillBinlog(source: RunningServer, bytes: number): Promise<void> {
  const root = await connectSql({ socket: source.socket, multipleStatements: true })
  try {
    await root.query(`CREATE USER '${LOGINS.user}'@'%' IDENTIFIED BY '${LOGINS.password}'`)
    const grants = SOURCE_GRANTS[source.flavor].join(', ')
    await root.query(`GRANT ${grants} ON *.* TO '${LOGINS.user}'@'%'`)
    await root.query('CREATE DATABASE bench')
    await root.query('CREATE TABLE bench.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT, b TEXT)')
    await root.query(`CREATE PROCEDURE bench.fill(n INT) BEGIN
      WHILE n > 0 DO
        INSERT INTO bench.t (a, b) VALUES (n, REPEAT(SHA2(n, 256), 1 + n MOD 20));
        SET n = n - 1;
      END WHILE; END`)
    await Promise.all(Array.from({ length: WRITERS }, () => write(source, bytes)))
    await root.query('FLUSH BINARY LOGS')
  } finally {
    await root.end()
  }
}

async function write(source: RunningServer, bytes: number): Promise<void> {
  const connection = await connectSql({ socket: source.socket })
  try {
    while ((await binlogBytes(source)) < bytes)
      await connection.query(`CALL bench.fill(${ROWS_PER_CALL})`)
  } finally {
    await connection.end()
  }
}

export async function binlogBytes(source: RunningServer): Promise<number> {
  const files = await binlogFiles(source)
  return files.reduce((sum, file) => sum + file.bytes, 0)
}

export async function binlogFiles(
  source: RunningServer,
): Promise<{ readonly name: string; readonly bytes: number }[]> {
  const connection = await connectSql({ socket: source.socket })
  try {
    const [rows] = await connection.query('SHOW BINARY LOGS')
    return (rows as { Log_name: string; File_size: number }[]).map((row) => ({
      name: row.Log_name,
      bytes: Number(row.File_size),
    }))
  } finally {
    await connection.end()
  }
}
