import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const SITES = ['production', 'dr'] as const
const FORMATS = ['STATEMENT', 'MIXED', 'ROW'] as const
/** In which order three prepared branches end. */
const ORDERS = ['012', '021', '102', '120', '201', '210'] as const
const EMPTY_TRANSACTIONS = 40

/**
 * What outlives a transaction: prepared branches, temporary tables, and GTIDs without contents.
 * MariaDB has no transaction without contents; the nearest is a hole in the sequence.
 */
describeFlavors('rare content of %s', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor)
    await write(
      'CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))',
    )
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function write(...statements: readonly string[]): Promise<void> {
    const sql = await pair.sql()
    await runAll(sql, statements)
    sql.destroy()
  }

  async function killGateways(): Promise<void> {
    await Promise.all(SITES.map((site) => pair.pair.kill(site)))
    for (const site of SITES) await pair.pair.start(site)
  }

  async function expectAllEqual(): Promise<void> {
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  }

  const insert = (text: string) => `INSERT INTO d.t (v) VALUES ('${text}')`
  const prepare = (name: string) => [
    ...[`XA START '${name}'`, insert(name), `XA END '${name}'`, `XA PREPARE '${name}'`],
  ]

  /** Three branches, each prepared by a session that is gone afterwards. */
  async function prepareAll(prefix: string): Promise<void> {
    for (const at of [0, 1, 2]) await write(...prepare(`${prefix}${at}`))
  }

  test('ends prepared branches in every order, in this file or a later one', async () => {
    for (const order of ORDERS) {
      await prepareAll(order)
      await write(insert('between'), ...(order < '120' ? ['FLUSH BINARY LOGS'] : []))
      for (const [index, at] of [...order].entries()) {
        await write(`XA ${index === 1 ? 'ROLLBACK' : 'COMMIT'} '${order}${at}'`, insert('next'))
      }
    }
    await expectAllEqual()
  })

  test('ends branches that were prepared before anything was killed or restarted', async () => {
    const steps: readonly (() => Promise<void>)[] = [
      killGateways,
      () => pair.restart('replica', 'SIGTERM'),
      () => pair.restart('source', 'SIGTERM'),
      () => pair.restart('source', 'SIGKILL'),
    ]
    for (const [index, step] of steps.entries()) {
      await prepareAll(`r${index}-`)
      await pair.synced()
      await step()
      await write(insert('after'), `XA COMMIT 'r${index}-2'`, `XA ROLLBACK 'r${index}-0'`)
      await killGateways()
      await write(`XA COMMIT 'r${index}-1'`)
    }
    await pair.synced()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test.each(FORMATS)(
    'keeps temporary tables of %s over new files and reconnects',
    async (format) => {
      const session = await pair.sql()
      await runAll(session, [
        `USE d; SET SESSION binlog_format = ${format}`,
        'CREATE TEMPORARY TABLE passing (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))',
        "INSERT INTO passing (v) VALUES ('one'), ('two')",
      ])
      const use = (name: string) => [
        'INSERT INTO t (v) SELECT v FROM passing ORDER BY id',
        `UPDATE passing SET v = CONCAT(v, ' ${name}')`,
      ]
      const between: readonly (() => Promise<void>)[] = [
        () => write('FLUSH BINARY LOGS'),
        () => pair.restartGateway('dr'),
        async () => {
          if (pair.replica === null) throw new Error('there is no replica')
          await pair.control(pair.replica, 'STOP')
          await write('FLUSH BINARY LOGS')
          await pair.control(pair.replica, 'START')
        },
        () => pair.restartGateway('production'),
      ]
      for (const [index, step] of between.entries()) {
        await runAll(session, use(`of step ${index}`))
        expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
        await step()
        await runAll(session, use(`behind step ${index}`))
      }
      // The server itself drops what a session leaves behind.
      session.destroy()
      await expectAllEqual()
    },
  )

  test('passes over what is not logged', async () => {
    await write('SET sql_log_bin = 0', 'CREATE TABLE d.here (id INT)', insert('only here'))
    await write(insert('everywhere'))
    const { failures } = await pair.compareTables()
    expect(failures.toSorted()).toEqual([
      expect.stringContaining('`d`.`here` is not at the replica'),
      expect.stringContaining('`d`.`t` has'),
    ])
    await write('SET sql_log_bin = 0', 'DROP TABLE d.here', "DELETE FROM d.t WHERE v = 'only here'")
    await expectAllEqual()
  })

  test('holds GTIDs without contents, and those behind a hole', async () => {
    const uuid = '33333333-2222-3333-4444-555555555555'
    const named = (number: number) =>
      flavor === 'mysql' ? `SET gtid_next = '${uuid}:${number}'` : `SET gtid_seq_no = ${number}`
    const first = flavor === 'mysql' ? 1 : 100_000
    const empty = flavor === 'mysql' ? 'BEGIN; COMMIT' : insert('behind a hole')
    for (let at = 0; at < EMPTY_TRANSACTIONS; at += 1) {
      await write(named(first + at * 3), empty)
      if (at % 10 === 4) await write('FLUSH BINARY LOGS')
      if (at % 10 === 9) await killGateways()
    }
    await write(insert('last'))
    await expectAllEqual()
  })

  test('follows savepoints, also in transactions that are compressed', async () => {
    const on =
      flavor === 'mysql'
        ? 'SET SESSION binlog_transaction_compression = ON'
        : 'SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10'
    for (const format of FORMATS) {
      const long = (text: string) => insert(text.repeat(40).slice(0, 200))
      await write(
        ...[`SET SESSION binlog_format = ${format}`, on, 'BEGIN', long('kept ')],
        ...['SAVEPOINT a', long('undone '), 'SAVEPOINT b', long('undone too '), 'ROLLBACK TO a'],
        ...[long('kept too '), 'RELEASE SAVEPOINT a', 'COMMIT', 'BEGIN', 'SAVEPOINT c'],
        ...[long('undone '), 'ROLLBACK TO c', 'COMMIT', 'BEGIN', long('undone '), 'ROLLBACK'],
      )
    }
    if (flavor === 'mariadb') await write('SET GLOBAL log_bin_compress = OFF')
    await expectAllEqual()
  })
})

async function runAll(sql: Connection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    await sql.query(statement).catch((error: Error) => {
      throw new Error(`${error.message} in: ${statement}`)
    })
  }
}
