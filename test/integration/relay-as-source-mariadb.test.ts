import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import type { TestReplica } from '../helpers/relay/relay-fixture.ts'
import { TwinReplicas } from '../helpers/relay/twin-replicas.ts'

const RUNNING = { io: 'Yes', sql: 'Yes', ioErrno: 0, sqlErrno: 0 }
const BY_GTID = 'MASTER_USE_GTID=slave_pos'

/** Whatever a replica can ask of its source, asked of a source and of the relay over its files. */
describe.each([
  { name: 'a MariaDB replica', source: {}, replicas: {} },
  { name: 'a newer MariaDB replica', source: {}, replicas: { release: 'newer' } },
  { name: 'an older MariaDB replica', source: { release: 'newer' }, replicas: {} },
] as const)(
  'the relay does what the source does for $name',
  needs('mariadb', 'newer-mariadb'),
  (servers) => {
    let twins: TwinReplicas

    beforeAll(async () => {
      twins = await TwinReplicas.create('mariadb', servers)
    })

    beforeEach(async () => {
      await twins.finish()
      await twins.control('STOP')
    })

    afterAll(() => twins?.finishAndStop())

    /** What a test has to mend at the replicas, without a GTID of theirs. */
    const unlogged = (statement: string) =>
      twins.run('SET sql_log_bin=0', statement, 'SET sql_log_bin=1')

    const sourcePosition = () => twins.fixture.text(twins.fixture.sql, '@@gtid_binlog_pos')

    test('that applies an hour later', async () => {
      await twins.follow(BY_GTID, 'MASTER_DELAY=3600')
      await twins.control('START')
      await twins.insert(2)
      const { gtids } = await twins.same(RUNNING)
      expect(gtids).not.toBe(await sourcePosition())
      await twins.control('STOP')
      await twins.follow(BY_GTID, 'MASTER_DELAY=0')
    })

    test('that does not want a domain, or wants one alone', async () => {
      for (const filter of ['IGNORE_DOMAIN_IDS=(7)', 'IGNORE_DOMAIN_IDS=(), DO_DOMAIN_IDS=(0)']) {
        await twins.follow(BY_GTID, filter)
        await twins.insert(1)
        await twins.control('START')
        await twins.insert(2, 7)
        await twins.insert(1)
        await twins.caughtUp()
        await twins.same(RUNNING)
        await twins.control('STOP')
        await twins.insert(1, 7)
        await twins.fixture.write('FLUSH BINARY LOGS')
        await twins.control('START')
        await twins.caughtUp()
        await twins.same(RUNNING)
        await twins.control('STOP')
      }
      await twins.follow(BY_GTID, 'DO_DOMAIN_IDS=()')
    })

    test('that does not want a domain, and never had what was purged of it', async () => {
      await twins.insert(1, 7)
      await twins.finish()
      await twins.control('STOP')
      await twins.purge()
      const held = await sourcePosition()
      const without = held.replace(/,7-\d+-\d+/, '')
      expect(without).not.toBe(held)
      await twins.follow(BY_GTID, 'IGNORE_DOMAIN_IDS=(7)')
      await twins.run(`SET GLOBAL gtid_slave_pos='${without}'`)
      await twins.control('START')
      await twins.same({ io: 'No', ioErrno: 1236 })
      await twins.control('STOP')
      await twins.run(`SET GLOBAL gtid_slave_pos='${held}'`)
      await twins.follow(BY_GTID, 'IGNORE_DOMAIN_IDS=()')
    })

    test.each([0, 1])('that is ahead of it, gtid_strict_mode=%i', async (strict) => {
      const held = await sourcePosition()
      await twins.run(
        `SET GLOBAL gtid_strict_mode=${strict}`,
        `SET GLOBAL gtid_slave_pos='${held.replace(/\b0-1-\d+/, '0-1-999999')}'`,
      )
      await twins.control('START')
      await twins.same({ io: 'No', ioErrno: 1236 })
      await twins.control('STOP')
      await twins.run(`SET GLOBAL gtid_slave_pos='${held}'`, 'SET GLOBAL gtid_strict_mode=1')
    })

    test('that is ahead of it in a domain, and takes what others sent for its own', async () => {
      const held = await sourcePosition()
      await twins.run(
        'SET GLOBAL gtid_ignore_duplicates=1',
        `SET GLOBAL gtid_slave_pos='${held.replace(/\b0-1-\d+/, '0-1-999999')}'`,
      )
      await twins.control('START')
      await twins.insert(2)
      await twins.insert(2, 7)
      const ahead = await twins.same({
        ...RUNNING,
        gtids: expect.stringMatching(/0-1-999999,.*7-1/),
      })
      await twins.control('STOP')
      const own = String(/\b0-1-\d+/.exec(held))
      await twins.run(
        'SET GLOBAL gtid_ignore_duplicates=0',
        `SET GLOBAL gtid_slave_pos='${ahead.gtids.replace('0-1-999999', own)}'`,
      )
    })

    test('that goes by what it wrote itself too (MASTER_USE_GTID=current_pos)', async () => {
      await twins.follow('MASTER_USE_GTID=current_pos')
      await twins.insert(2)
      await twins.control('START')
      await twins.caughtUp()
      await twins.same(RUNNING)
      await twins.control('STOP')
      await twins.run(
        'SET gtid_domain_id=99',
        "INSERT INTO shop.t VALUES (-1, 'own')",
        'SET gtid_domain_id=0',
      )
      await twins.insert(2)
      await twins.control('START')
      await twins.caughtUp()
      await twins.same(RUNNING)
      await twins.control('STOP')
      await twins.follow(BY_GTID)
      await unlogged("DELETE FROM shop.t WHERE v = 'own'")
    })

    test('with the semi-sync plugin, compression and heartbeats of a millisecond', async () => {
      await twins.run(
        'SET GLOBAL rpl_semi_sync_slave_enabled=1, GLOBAL slave_compressed_protocol=1',
      )
      await twins.follow(BY_GTID, 'MASTER_HEARTBEAT_PERIOD=0.001')
      await twins.control('START')
      await twins.insert(3)
      await twins.caughtUp()
      await twins.same(RUNNING)
      await twins.fixture.write('FLUSH BINARY LOGS')
      await twins.insert(2)
      await twins.same(RUNNING)
      const beats = () =>
        twins.fixture.text(
          twins.relayed.sql,
          'VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS ' +
            "WHERE VARIABLE_NAME = 'SLAVE_RECEIVED_HEARTBEATS'",
        )
      await expect.poll(async () => Number(await beats())).toBeGreaterThan(5)
      await twins.control('STOP')
      await twins.run(
        'SET GLOBAL rpl_semi_sync_slave_enabled=0, GLOBAL slave_compressed_protocol=0',
      )
      await twins.follow(BY_GTID, 'MASTER_HEARTBEAT_PERIOD=30')
    })

    test('that leaves out what the source marks, at the source', async () => {
      await twins.run("SET GLOBAL replicate_events_marked_for_skip='FILTER_ON_MASTER'")
      await twins.control('START')
      await twins.fixture.sql.query('SET skip_replication=1')
      await twins.insert(2)
      await twins.fixture.sql.query('SET skip_replication=0')
      await twins.insert(1)
      await twins.caughtUp()
      await twins.same(RUNNING, 'positions')
      await twins.control('STOP')
      await twins.run("SET GLOBAL replicate_events_marked_for_skip='REPLICATE'")
      await unlogged(`INSERT INTO shop.t VALUES ${twins.row(2)}, ${twins.row(1)}`)
    })

    test('through connections with a name, and through two at once', async () => {
      const ask = async (name: string) => {
        const read = async ({ sql }: TestReplica) => {
          const [rows] = await sql.query(`SHOW SLAVE '${name}' STATUS`)
          const [status] = rows as Record<string, unknown>[]
          return [status?.Slave_IO_Running, status?.Slave_SQL_Running, status?.Last_IO_Errno]
        }
        return await Promise.all([read(twins.native), read(twins.relayed)])
      }
      const connect = (name: string, host: string) =>
        twins.each(async (replica) => {
          const how = [BY_GTID, `MASTER_HOST='${host}'`]
          await replica.sql.query(twins.changeStatement(replica, how, name))
          await replica.sql.query(`START SLAVE '${name}'`)
        })
      await twins.run('RESET SLAVE ALL', 'SET GLOBAL gtid_ignore_duplicates=1')
      await connect('one', '127.0.0.1')
      await twins.insert(2)
      await twins.caughtUp()
      expect(await ask('one')).toEqual([
        ['Yes', 'Yes', 0],
        ['Yes', 'Yes', 0],
      ])
      // A source takes the second for the same replica come again. Its own two go on to push each
      // other out every second; the relay tells the first one, which stops for a person to see.
      await connect('two', 'localhost')
      await expect.poll(async () => (await ask('one'))[1]).toEqual(['No', 'Yes', 1236])
      await twins.insert(2, 7)
      await twins.caughtUp()
      expect((await ask('two'))[1]).toEqual(['Yes', 'Yes', 0])
      await twins.run('STOP ALL SLAVES', "RESET SLAVE 'one' ALL", "RESET SLAVE 'two' ALL")
      await twins.run('SET GLOBAL gtid_ignore_duplicates=0')
      await twins.follow()
    })

    test('but no replica by file and position: a name means nothing after a failover', async () => {
      const { native, relayed, fixture } = twins
      const [rows] = await fixture.sql.query('SHOW MASTER STATUS')
      const [end] = rows as { File: string; Position: number }[]
      await twins.follow(
        'MASTER_USE_GTID=no',
        `MASTER_LOG_FILE='${end?.File}'`,
        `MASTER_LOG_POS=${end?.Position}`,
      )
      await twins.control('START')
      await expect.poll(() => twins.outcome(native)).toMatchObject(RUNNING)
      await expect.poll(() => twins.outcome(relayed)).toMatchObject({ io: 'No', ioErrno: 1236 })
      const { Last_IO_Error: text } = await fixture.status(relayed)
      expect(text).toContain('MASTER_USE_GTID=slave_pos')
      await twins.control('STOP')
      await twins.follow(BY_GTID)
    })
  },
)
