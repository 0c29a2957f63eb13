import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { needs } from '../helpers/needs.ts'
import { TwinReplicas } from '../helpers/relay/twin-replicas.ts'

const RUNNING = { io: 'Yes', sql: 'Yes', ioErrno: 0, sqlErrno: 0 }
let twins: TwinReplicas

/** A statement that does not fit into the cache: the source writes an incident in its place. */
async function loseRows(): Promise<void> {
  const { fixture } = twins
  await fixture.write(
    'SET GLOBAL max_binlog_stmt_cache_size=4096, GLOBAL binlog_stmt_cache_size=4096',
  )
  const session = await connectSql({ socket: fixture.source.socket })
  const rows = [7, 8].map((id) => `(${id}, REPEAT('x', 20000))`)
  const lost = session.query(`INSERT INTO shop.m VALUES ${rows.join(', ')}`)
  await expect(lost).rejects.toMatchObject({ errno: 1705 })
  await session.end()
}

/** Both replicas were away meanwhile; they have the transaction right before it. */
async function loseRowsWhileAway(): Promise<void> {
  const { fixture } = twins
  await fixture.write(
    'CREATE TABLE shop.m (id INT, v LONGTEXT) ENGINE=MyISAM',
    "INSERT INTO shop.m VALUES (1, 'one')",
  )
  await twins.caughtUp()
  await twins.control('STOP')
  await loseRows()
  await fixture.write("INSERT INTO shop.m VALUES (2, 'two')")
  await twins.control('START')
}

describe('a MariaDB replica of the relay', needs('mariadb'), () => {
  beforeAll(async () => {
    twins = await TwinReplicas.create('mariadb')
  })

  afterAll(() => twins?.stop())

  test('that stands in a gap in strict mode is refused once, and stays refused', async () => {
    const { fixture } = twins
    for (let id = 1; id <= 20; id += 1) await fixture.write(`INSERT INTO shop.t VALUES (${id}, '')`)
    await twins.caughtUp()
    await twins.control('STOP')
    const last = Number((await fixture.text(fixture.sql, '@@last_gtid')).split('-')[2])
    await fixture.write(
      `SET gtid_seq_no=${last + 100}`,
      "INSERT INTO shop.t VALUES (21, '')",
      "INSERT INTO shop.t VALUES (22, '')",
    )
    await twins.run(`SET GLOBAL gtid_slave_pos='0-1-${last + 50}'`)
    await twins.follow()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await twins.control('START')
      await twins.same({ io: 'No', ioErrno: 1236 })
      await twins.control('STOP')
    }
    await twins.run('SET GLOBAL gtid_strict_mode=OFF')
    await twins.control('START')
    const { gtids } = await twins.same(RUNNING, 'positions')
    expect(gtids).toBe(`0-1-${last + 101}`)
  })

  test('that was away stops at an incident behind a transaction that it has', async () => {
    await loseRowsWhileAway()
    await twins.same({ io: 'Yes', sql: 'No', ioErrno: 0, sqlErrno: 1590 })
  })
})

describe('a MySQL replica of the relay', needs('mysql'), () => {
  const refused = { io: 'No', ioErrno: 13_114 }

  beforeAll(async () => {
    twins = await TwinReplicas.create('mysql')
  })

  afterAll(() => twins?.stop())

  /** The source runs without GTIDs for two transactions, and writes one with a GTID behind them. */
  async function writeAnonymous(id: number): Promise<void> {
    await twins.fixture.write(
      'SET GLOBAL gtid_mode=ON_PERMISSIVE',
      'SET GLOBAL gtid_mode=OFF_PERMISSIVE',
      `INSERT INTO shop.t VALUES (${id}, 'anonymous')`,
      `INSERT INTO shop.t VALUES (${id + 1}, 'anonymous')`,
      'SET GLOBAL gtid_mode=ON_PERMISSIVE',
      'SET GLOBAL gtid_mode=ON',
      `INSERT INTO shop.t VALUES (${id + 2}, '')`,
    )
  }

  /** As if made from a backup that the source gives now. */
  async function restore(): Promise<void> {
    const { fixture } = twins
    const held = await fixture.text(fixture.sql, '@@gtid_executed')
    const [rows] = await fixture.sql.query('SELECT id, v FROM shop.t')
    const values = (rows as { id: number; v: string }[]).map(({ id, v }) => `(${id}, '${v}')`)
    await twins.control('STOP')
    await twins.run(
      'RESET BINARY LOGS AND GTIDS',
      `SET GLOBAL gtid_purged='${held}'`,
      'SET sql_log_bin=0',
      'SET GLOBAL super_read_only=OFF',
      `REPLACE INTO shop.t VALUES ${values.join(', ')}`,
      'SET GLOBAL super_read_only=ON',
    )
  }

  /** However often a person starts it. */
  async function staysRefused(): Promise<void> {
    const { fixture, relayed } = twins
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await relayed.sql.query('START REPLICA')
      await expect.poll(() => twins.outcome(relayed)).toMatchObject(refused)
      const { Last_IO_Error: text } = await fixture.status(relayed)
      expect(text).toContain('transactions without a GTID')
    }
    expect(await fixture.text(relayed.sql, "COUNT(*) FROM shop.t WHERE v = ''")).toBe('1')
  }

  test('that was away is refused where a start would jump over anonymous ones', async () => {
    await twins.fixture.write("INSERT INTO shop.t VALUES (1, '')")
    await twins.caughtUp()
    await twins.control('STOP')
    await writeAnonymous(2)
    await staysRefused()
    // A real source lets it: the replica goes on without them.
    await twins.native.sql.query('START REPLICA')
    await expect.poll(() => twins.outcome(twins.native)).toMatchObject(RUNNING)
    await restore()
  })

  test('that was made anew behind them goes on, also in a file with nothing in it', async () => {
    await twins.control('START')
    await twins.caughtUp()
    await twins.control('STOP')
    await twins.fixture.write('FLUSH BINARY LOGS')
    await twins.control('START')
    await twins.same(RUNNING)
    await twins.fixture.write("INSERT INTO shop.t VALUES (10, '')")
    await twins.caughtUp()
    await twins.same(RUNNING)
  })

  test('that reads them is refused once, as by its source, and stays refused', async () => {
    await twins.fixture.write(
      "DELETE FROM shop.t WHERE v = ''",
      "INSERT INTO shop.t VALUES (20, '')",
    )
    await twins.caughtUp()
    await writeAnonymous(21)
    await twins.same(refused)
    await staysRefused()
    await restore()
    await twins.control('START')
    await twins.caughtUp()
  })

  test('that was away stops at an incident', async () => {
    await loseRowsWhileAway()
    await twins.same({ io: 'Yes', sql: 'No', ioErrno: 0, sqlErrno: 13_119 })
  })
})
