import type { Connection } from 'mysql2/promise'
import type { ReplicatedPair } from '../pair/replicated-pair.ts'

export const RESET = { mysql: 'RESET BINARY LOGS AND GTIDS', mariadb: 'RESET MASTER' } as const

/** The first value of a SELECT, without the line ends of a long GTID set. */
export async function selected(sql: Connection, expression: string): Promise<string> {
  const [rows] = await sql.query({ sql: `SELECT ${expression}`, rowsAsArray: true })
  return String((rows as unknown[][])[0]?.[0]).replaceAll(/\s/g, '')
}

/** Resets the source in another second than its files began: those of one second look alike. */
export async function resetSource(pair: ReplicatedPair, sql: Connection): Promise<void> {
  const now = async (): Promise<number> => Number(await selected(sql, 'UNIX_TIMESTAMP()'))
  const before = await now()
  await pair.eventually(async () => (await now()) > before)
  await sql.query(RESET[pair.flavor])
}

/** What an operator does before attaching: the source's rows of `table`, and its GTIDs. */
export async function copyData(
  pair: ReplicatedPair,
  source: Connection,
  replica: Connection,
  table: string,
): Promise<void> {
  const { flavor } = pair
  const noun = flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
  const gtids = await selected(source, flavor === 'mysql' ? '@@gtid_executed' : '@@gtid_binlog_pos')
  const [rows] = await source.query({ sql: `SELECT id, v FROM ${table}`, rowsAsArray: true })
  await replica.query(`STOP ${noun}; SET sql_log_bin = 0; DELETE FROM ${table}`)
  await replica.query(`INSERT INTO ${table} (id, v) VALUES ?`, [rows])
  await replica.query(`SET sql_log_bin = 1; RESET ${noun} ALL; ${RESET[flavor]}`)
  const variable = flavor === 'mysql' ? 'gtid_purged' : 'gtid_slave_pos'
  await replica.query(`SET GLOBAL ${variable} = '${gtids}'`)
}
