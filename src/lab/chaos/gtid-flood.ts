import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../base/flavor.ts'
import { connectSql } from '../servers/sql-connection.ts'
import { LEDGER_SCHEMA } from './ledger-statements.ts'

/** Each of these is a part of the GTID set that no other can be joined with. */
export type GtidFlood = (socket: string, parts: number) => Promise<void>

const STATEMENTS_PER_QUERY = 100
/** Not the server's own: MySQL would go on from the highest number of that one. */
const UUID = '0c0c0c0c-1111-4222-8333-444444444444'
const DOMAIN_FIRST = 10_000
/** More than any server has; what a replica may say of itself at the relay has a limit as well. */
const PARTS_MAX: Readonly<Record<Flavor, number>> = { mysql: 60_000, mariadb: 12_000 }

/**
 * Makes the source's GTID set large for good, by so many parts each time. On MySQL: transactions
 * without contents, under every second number of one UUID. On MariaDB: rows, each in a new domain.
 */
export function createGtidFlood(flavor: Flavor): GtidFlood {
  let next = 0
  return async (socket, parts) => {
    const connection = await connectSql({ socket, multipleStatements: true })
    try {
      const sync = await syncBinlog(connection, 0)
      try {
        const end = Math.min(next + parts, PARTS_MAX[flavor])
        while (next < end) {
          const count = Math.min(STATEMENTS_PER_QUERY, end - next)
          const numbers = Array.from({ length: count }, (_, index) => next + index)
          await connection.query(numbers.map(STATEMENTS[flavor]).join(';'))
          next += count
        }
      } finally {
        await syncBinlog(connection, sync)
      }
    } finally {
      await connection.end()
    }
  }
}

const STATEMENTS: Readonly<Record<Flavor, (number: number) => string>> = {
  mysql: (number) => `SET gtid_next = '${UUID}:${2 * number + 1}'; BEGIN; COMMIT`,
  mariadb: (number) =>
    `SET gtid_domain_id = ${DOMAIN_FIRST + number}; ` +
    `INSERT INTO ${LEDGER_SCHEMA}.bulk (bytes) VALUES ('')`,
}

/** Thousands of syncs would take longer than the fault. Returns what it was. */
async function syncBinlog(connection: Connection, value: number): Promise<number> {
  const [rows] = await connection.query('SELECT @@GLOBAL.sync_binlog AS value')
  const [row] = rows as { readonly value: number }[]
  await connection.query(`SET GLOBAL sync_binlog = ${value}`)
  return Number(row?.value)
}
