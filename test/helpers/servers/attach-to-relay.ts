import type { Connection } from 'mysql2/promise'
import type { Flavor } from '../../../src/base/flavor.ts'

/** How a database logs in to a relay. */
export interface RelayLogin {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

const WORDS = {
  mysql: {
    noun: 'REPLICA',
    change: 'CHANGE REPLICATION SOURCE TO',
    prefix: 'SOURCE',
    options: ['SOURCE_AUTO_POSITION=1', 'SOURCE_RETRY_COUNT=0'],
  },
  mariadb: {
    noun: 'SLAVE',
    change: 'CHANGE MASTER TO',
    prefix: 'MASTER',
    options: ['MASTER_USE_GTID=slave_pos', 'MASTER_SSL_VERIFY_SERVER_CERT=0'],
  },
} as const

/** Points a server, as root, at a relay; it is quick to come back after a loss. */
export async function attachToRelay(
  sql: Connection,
  flavor: Flavor,
  { host, port, user, password }: RelayLogin,
): Promise<void> {
  const { noun, change, prefix, options } = WORDS[flavor]
  const all = [
    `${prefix}_HOST='${host}'`,
    `${prefix}_PORT=${port}`,
    `${prefix}_USER='${user}'`,
    `${prefix}_PASSWORD='${password}'`,
    `${prefix}_SSL=1`,
    `${prefix}_CONNECT_RETRY=1`,
    `${prefix}_HEARTBEAT_PERIOD=1`,
    ...options,
  ]
  // One that follows nobody yet has nothing to stop.
  await sql.query(`STOP ${noun}`).catch(() => undefined)
  await sql.query(`${change} ${all.join(', ')}`)
  await sql.query(`START ${noun}`)
}
