import type { Connection, RowDataPacket } from 'mysql2/promise'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'
import { connectSql } from '../../../src/lab/servers/sql-connection.ts'
import { SOURCE_PASSWORD } from '../pair/replicated-pair.ts'

const WORDS = {
  mysql: {
    noun: 'REPLICA',
    change: 'CHANGE REPLICATION SOURCE TO',
    prefix: 'SOURCE',
    options: ['SOURCE_AUTO_POSITION=1', 'GET_SOURCE_PUBLIC_KEY=1'],
    gtids: '@@GLOBAL.gtid_executed',
    wait: 'WAIT_FOR_EXECUTED_GTID_SET(?, 60)',
  },
  mariadb: {
    noun: 'SLAVE',
    change: 'CHANGE MASTER TO',
    prefix: 'MASTER',
    // A server that was the source before goes on behind what it wrote itself.
    options: ['MASTER_USE_GTID=slave_pos'],
    gtids: '@@GLOBAL.gtid_binlog_pos',
    wait: 'MASTER_GTID_WAIT(?, 60)',
  },
} as const

async function within<T>(server: RunningServer, work: (sql: Connection) => Promise<T>): Promise<T> {
  const sql = await connectSql({ socket: server.socket, multipleStatements: true })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

async function ask(sql: Connection, text: string, values: readonly string[] = []) {
  const [rows] = await sql.query<RowDataPacket[]>(text, [...values])
  return rows[0]
}

/** What the server has committed, as it says it. */
export async function committedAt(server: RunningServer): Promise<string> {
  return await within(server, async (sql) => {
    const row = await ask(sql, `SELECT ${WORDS[server.flavor].gtids} AS gtids`)
    return String(row?.gtids ?? '').replaceAll(/\s/g, '')
  })
}

/**
 * The number of the newest GTID that its owner, a server_uuid or `-SERVER_ID-`, gave. It is not the
 * last one in the text: a set is in the order of UUIDs, which are random, or of domains.
 */
export function newestNumber(gtids: string, owner: string): string {
  const own = gtids.split(',').find((part) => part.includes(owner))
  const number = own?.split(/[:-]/).at(-1)
  if (number === undefined) throw new Error(`nothing of ${owner} in ${gtids}`)
  return number
}

/** Of the newest transaction that the server wrote itself. */
export async function newestOwn(server: RunningServer): Promise<string> {
  const gtids = await committedAt(server)
  if (server.flavor === 'mariadb') return newestNumber(gtids, `-${server.serverId}-`)
  return await within(server, async (sql) => {
    const row = await ask(sql, 'SELECT @@GLOBAL.server_uuid AS uuid')
    return newestNumber(gtids, String(row?.uuid))
  })
}

/** Makes `replica` follow `source` directly, by GTID, without any gateway. */
export async function follow(replica: RunningServer, source: RunningServer): Promise<void> {
  const { noun, change, prefix, options } = WORDS[replica.flavor]
  const all = [
    `${prefix}_HOST='127.0.0.1'`,
    `${prefix}_PORT=${source.port}`,
    `${prefix}_USER='landbridge'`,
    `${prefix}_PASSWORD='${SOURCE_PASSWORD}'`,
    `${prefix}_CONNECT_RETRY=1`,
    ...options,
  ]
  await within(replica, async (sql) => {
    if (replica.flavor === 'mariadb') {
      const row = await ask(sql, 'SELECT @@GLOBAL.gtid_current_pos AS gtids')
      await sql.query('SET GLOBAL gtid_slave_pos = ?', [String(row?.gtids ?? '')])
    }
    await sql.query(`${change} ${all.join(', ')}`)
    await sql.query(`START ${noun}`)
  })
}

/** Waits until `replica` has applied everything that `source` has committed. */
export async function caughtUp(replica: RunningServer, source: RunningServer): Promise<void> {
  const gtids = await committedAt(source)
  await within(replica, async (sql) => {
    const row = await ask(sql, `SELECT ${WORDS[replica.flavor].wait} AS result`, [gtids])
    if (Number(row?.result) === 0) return
    const status = await ask(sql, `SHOW ${WORDS[replica.flavor].noun} STATUS`)
    throw new Error(`the replica has not applied ${gtids}: ${JSON.stringify(status)}`)
  })
}

/** It follows nobody any more: it may be written to. */
export async function promote(replica: RunningServer): Promise<void> {
  const { noun } = WORDS[replica.flavor]
  await within(replica, async (sql) => {
    await sql.query(`STOP ${noun}`)
    await sql.query(`RESET ${noun} ALL`)
  })
}

export interface ReplicaThreads {
  readonly ioRuns: boolean
  readonly sqlRuns: boolean
  readonly errors: string
}

/** What the server says of its own replication. */
export async function threadsOf(replica: RunningServer): Promise<ReplicaThreads> {
  return await within(replica, async (sql) => {
    const row = await ask(sql, `SHOW ${WORDS[replica.flavor].noun} STATUS`)
    const of = (name: string) => row?.[`Replica_${name}`] ?? row?.[`Slave_${name}`]
    return {
      ioRuns: of('IO_Running') === 'Yes',
      sqlRuns: of('SQL_Running') === 'Yes',
      errors: `${row?.Last_IO_Error ?? ''}${row?.Last_SQL_Error ?? ''}`,
    }
  })
}
