import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { newestOwn, threadsOf } from '../helpers/servers/native-replication.ts'
import { restoreFromBackup } from '../helpers/servers/restored-backup.ts'

const INHERITED_UUID = '11111111-2222-3333-4444-555555555555'

/** A history that the server has from elsewhere, as a restored backup leaves it. */
const INHERITED = {
  mysql: ['RESET BINARY LOGS AND GTIDS', `SET GLOBAL gtid_purged = '${INHERITED_UUID}:1-100'`],
  mariadb: ['RESET MASTER', "SET GLOBAL gtid_binlog_state = '0-9-100'"],
} as const

/** In the order of a source's life: transactions are gone before DR ever saw it, then again. */
describeFlavors('a %s source without its oldest binlogs', (flavor) => {
  let pair: ReplicatedPair
  let replica: RunningServer
  let written = 0

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, {
      attach: false,
      source: { durable: true },
      prepare: async (_pair, source) => {
        const sql = await connectSql({ socket: source.socket })
        for (const statement of INHERITED[flavor]) await sql.query(statement)
        await sql.query('CREATE DATABASE drama')
        await sql.query('CREATE TABLE drama.ledger (n INT, v TEXT)')
        await sql.end()
        await write(source)
        await purge(source)
        await write(source)
      },
    })
    replica = await pair.servers.start(flavor, { serverId: 2 })
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  /** Some transactions at `server`, over two of its files. */
  async function write(server: RunningServer): Promise<void> {
    const sql = await connectSql({ socket: server.socket })
    for (let count = 0; count < 10; count += 1) {
      written += 1
      await sql.query(`INSERT INTO drama.ledger VALUES (${written}, REPEAT('v', ${written}))`)
      if (count === 5) await sql.query('FLUSH BINARY LOGS')
    }
    await sql.end()
  }

  /** Everything but the file that is written to. */
  async function purge(server: RunningServer): Promise<void> {
    const sql = await connectSql({ socket: server.socket })
    await sql.query('FLUSH BINARY LOGS')
    const [rows] = await sql.query('SHOW BINARY LOGS')
    const newest = (rows as { Log_name: string }[]).at(-1)?.Log_name
    // MariaDB keeps a file for as long as a crash now would still need it.
    const endMs = performance.now() + 30_000
    for (let left = 2; left > 1; ) {
      if (performance.now() > endMs) throw new Error(`the source still has ${left} files`)
      await sql.query(`PURGE BINARY LOGS TO '${newest}'`)
      left = ((await sql.query('SHOW BINARY LOGS'))[0] as unknown[]).length
    }
    await sql.end()
  }

  async function expectAllEqual(): Promise<void> {
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables(60, replica)).toMatchObject({ equal: true, failures: [] })
    const [rows] = await (await pair.sql(replica)).query('SELECT COUNT(*) AS n FROM drama.ledger')
    expect(rows).toEqual([{ n: written }])
  }

  test('is taken from where it begins', async () => {
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    const { streams } = await pair.pair.until('dr', ({ state }) => state !== 'blocked')
    const [first] = await pair.spoolFiles()
    expect(streams[0]?.spool?.oldestFile).toBe(first?.split('/').at(-1))
    expect(first).not.toContain('000001.')
  })

  test('feeds no empty replica, and says why on both', async () => {
    await pair.attach(replica)
    const refusal = /begins after/
    await pair.eventually(async () => refusal.test((await threadsOf(replica)).errors))
    const { problems } = await pair.pair.until('dr', ({ problems: all }) =>
      all.some(({ code }) => code === 'ERR_DUMP_REFUSED'),
    )
    const refused = problems.find(({ code }) => code === 'ERR_DUMP_REFUSED')
    expect(refused?.message).toMatch(refusal)
    expect(refused?.message).toContain('Restore the replica from a newer backup')
    // The thread that told of it ends a moment later.
    await pair.eventually(async () => !(await threadsOf(replica)).ioRuns)
  })

  test('feeds a replica that was restored from its backup', async () => {
    await restoreFromBackup(pair.source, replica, ['drama'])
    await write(pair.source)
    await pair.attach(replica)
    await expectAllEqual()
    await pair.pair.until('dr', ({ problems }) => {
      return !problems.some(({ code }) => code === 'ERR_DUMP_REFUSED')
    })
  })

  test('may purge what a copy holds while a gateway is away', async () => {
    await write(pair.source)
    await pair.synced()
    await pair.pair.kill('production')
    await purge(pair.source)
    await write(pair.source)
    await pair.pair.start('production')
    await pair.synced()
    await expectAllEqual()
    expect((await pair.pair.status('dr'))?.streams[0]?.spool?.synced?.epoch).toBe(1)
  })

  test('that purged what a copy lacks blocks the stream, names it and the remedy', async () => {
    await pair.synced()
    await pair.pair.kill('production')
    await write(pair.source)
    await purge(pair.source)
    const last = await newestOwn(pair.source)
    await write(pair.source)
    await pair.pair.start('production')
    for (const site of ['production', 'dr'] as const) {
      const { problems } = await pair.pair.until(site, ({ state }) => state === 'blocked')
      const purged = problems.find(({ code }) => code === 'ERR_SOURCE_PURGED')
      expect(purged?.message).toMatch(new RegExp(`transactions that the spool lacks: .*-${last}$`))
      expect(purged?.remedy).toContain('Reseed the replica from a backup taken after them')
      const { exitCode, stdout } = await pair.pair.command(site, 'status')
      expect(exitCode).toBe(3)
      expect(stdout).toContain('remedy: Reseed the replica')
    }
  })

  test('goes on once its remedy was followed', async () => {
    await pair.pair.kill('dr', 'SIGTERM')
    await restoreFromBackup(pair.source, replica, ['drama'])
    await pair.pair.renewSpool()
    await pair.pair.start('dr')
    await pair.held()
    await pair.attach(replica)
    await write(pair.source)
    await pair.synced()
    await expectAllEqual()
    for (const site of ['production', 'dr'] as const) {
      await pair.pair.until(site, ({ state }) => state !== 'blocked')
      expect((await pair.pair.command(site, 'status')).exitCode).not.toBe(3)
    }
  })
})
