import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import type { TestReplica } from '../helpers/relay/relay-fixture.ts'
import { TwinReplicas } from '../helpers/relay/twin-replicas.ts'

const RUNNING = { io: 'Yes', sql: 'Yes', ioErrno: 0, sqlErrno: 0 }
const UNTIL_REACHED = { sql: 'No', ioErrno: 0, sqlErrno: 0 }
const REFUSED = { io: 'No', ioErrno: 13_114 }
const BY_GTID = 'SOURCE_AUTO_POSITION=1'
const GTID_ONLY = ['REQUIRE_ROW_FORMAT=1', 'GTID_ONLY=1']

/** Whatever a replica can ask of its source, asked of a source and of the relay over its files. */
describe('the relay does what the source does for a MySQL replica', needs('mysql'), () => {
  let twins: TwinReplicas

  beforeAll(async () => {
    twins = await TwinReplicas.create('mysql')
  })

  beforeEach(async () => {
    await twins.finish()
    await twins.control('STOP')
  })

  afterAll(() => twins?.finishAndStop())

  async function end(): Promise<{ readonly file: string; readonly position: number }> {
    const [rows] = await twins.fixture.sql.query('SHOW BINARY LOG STATUS')
    const [status] = rows as { File: string; Position: number }[]
    return { file: status?.File ?? '', position: status?.Position ?? 0 }
  }

  test('UNTIL a GTID, with it and without it, also when it is reached already', async () => {
    const gtids = await twins.insert(4)
    await twins.fixture.write('CREATE TABLE shop.gone (id INT)', 'DROP TABLE shop.gone')
    await twins.control('START', `UNTIL SQL_BEFORE_GTIDS='${gtids[1]}'`)
    await twins.same(UNTIL_REACHED)
    await twins.control('STOP')
    // From here on the relay log holds more: where it stops reading that is a matter of moments.
    for (const until of [
      `SQL_BEFORE_GTIDS='${gtids[1]}'`,
      `SQL_AFTER_GTIDS='${gtids[1]}'`,
      `SQL_AFTER_GTIDS='${gtids[0]}'`,
      `SQL_AFTER_GTIDS='${gtids[2]},${gtids[3]}'`,
    ]) {
      await twins.control('START', `UNTIL ${until}`)
      await twins.same(UNTIL_REACHED, 'positions')
      await twins.control('STOP')
      await twins.fixture.write('FLUSH BINARY LOGS')
    }
    await twins.finish()
    await twins.control('STOP')
    await twins.purge()
    await twins.control('START', `UNTIL SQL_AFTER_GTIDS='${gtids[0]}'`)
    await twins.same(UNTIL_REACHED, 'positions')
    await twins.control('STOP')
  })

  test('UNTIL a file and position of the source, which are counted the same', async () => {
    await twins.insert(2)
    const first = await end()
    await twins.insert(1)
    await twins.fixture.write('FLUSH BINARY LOGS')
    await twins.insert(1)
    const second = await end()
    await twins.insert(1)
    for (const { file, position } of [first, second]) {
      await twins.control('START', `UNTIL SOURCE_LOG_FILE='${file}', SOURCE_LOG_POS=${position}`)
      await twins.same(UNTIL_REACHED)
      await twins.control('STOP')
    }
  })

  test('UNTIL the gaps of parallel appliers are closed', async () => {
    await twins.run('SET GLOBAL replica_preserve_commit_order=OFF')
    await twins.insert(2)
    await twins.control('START', 'UNTIL SQL_AFTER_MTS_GAPS')
    await twins.same(UNTIL_REACHED)
    await twins.control('STOP')
    await twins.run('SET GLOBAL replica_preserve_commit_order=ON')
  })

  test('that applies an hour later', async () => {
    await twins.follow(BY_GTID, 'SOURCE_DELAY=3600')
    await twins.control('START')
    const [gtid] = await twins.insert(2)
    const { gtids } = await twins.same(RUNNING)
    expect(gtids).not.toContain(gtid)
    await twins.control('STOP')
    await twins.follow(BY_GTID, 'SOURCE_DELAY=0')
  })

  test('with the semi-sync plugin and heartbeats of a millisecond', async () => {
    await twins.run(
      'SET GLOBAL super_read_only=OFF',
      'SET sql_log_bin=0',
      "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'",
      'SET GLOBAL rpl_semi_sync_replica_enabled=1',
      'SET sql_log_bin=1',
      'SET GLOBAL super_read_only=ON',
    )
    await twins.follow(BY_GTID, 'SOURCE_HEARTBEAT_PERIOD=0.001', ...GTID_ONLY)
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
        'COUNT_RECEIVED_HEARTBEATS FROM performance_schema.replication_connection_status',
      )
    await expect.poll(async () => Number(await beats())).toBeGreaterThan(5)
    await twins.control('STOP')
    await twins.run('SET GLOBAL rpl_semi_sync_replica_enabled=0')
    await twins.follow(BY_GTID, 'SOURCE_HEARTBEAT_PERIOD=30', 'GTID_ONLY=0', 'REQUIRE_ROW_FORMAT=0')
  })

  test('that takes compression where it is offered; who insists on it is not let in', async () => {
    await twins.follow(BY_GTID, "SOURCE_COMPRESSION_ALGORITHMS='zlib,zstd,uncompressed'")
    await twins.insert(2)
    await twins.control('START')
    await twins.caughtUp()
    await twins.same(RUNNING)
    await twins.control('STOP')
    await twins.follow(BY_GTID, "SOURCE_COMPRESSION_ALGORITHMS='zlib'")
    await twins.control('START')
    await expect.poll(() => twins.outcome(twins.native)).toMatchObject(RUNNING)
    await expect.poll(() => twins.outcome(twins.relayed)).toMatchObject({ ioErrno: 2066 })
    await twins.control('STOP')
    await twins.follow(BY_GTID, "SOURCE_COMPRESSION_ALGORITHMS='uncompressed'")
  })

  test('that has more than it, or lacks what it has purged', async () => {
    const held = await twins.fixture.text(twins.fixture.sql, '@@gtid_executed')
    await twins.insert(1)
    await twins.finish()
    await twins.control('STOP')
    const own = held.replace(/:.*/, ':999999')
    await twins.insert(1)
    const executed = await twins.fixture.text(twins.fixture.sql, '@@gtid_executed')
    const hold = (gtids: string) =>
      twins.run('RESET BINARY LOGS AND GTIDS', `SET GLOBAL gtid_purged='${gtids}'`)
    await hold(`${held},${own}`)
    await twins.control('START')
    await twins.same(REFUSED)
    await twins.control('STOP')
    await twins.purge()
    await hold(held)
    await twins.control('START')
    await twins.same(REFUSED)
    await twins.control('STOP')
    await hold(executed)
    await unlogged(`INSERT INTO shop.t VALUES ${twins.row()}`)
  })

  /** What a test has to mend at the replicas, without a GTID of theirs. */
  const unlogged = (statement: string) =>
    twins.run(
      'SET GLOBAL super_read_only=OFF',
      'SET sql_log_bin=0',
      statement,
      'SET sql_log_bin=1',
      'SET GLOBAL super_read_only=ON',
    )

  test('through a channel with a name, and through two at once', async () => {
    const ask = async (name: string) => {
      const read = async ({ sql }: TestReplica) => {
        const [rows] = await sql.query(`SHOW REPLICA STATUS FOR CHANNEL '${name}'`)
        const [status] = rows as Record<string, unknown>[]
        return [status?.Replica_IO_Running, status?.Replica_SQL_Running, status?.Last_IO_Errno]
      }
      return await Promise.all([read(twins.native), read(twins.relayed)])
    }
    const connect = (name: string) =>
      twins.each(async (replica) => {
        await replica.sql.query(twins.changeStatement(replica, [BY_GTID], name))
        await replica.sql.query(`START REPLICA FOR CHANNEL '${name}'`)
      })
    await twins.run('RESET REPLICA ALL')
    await connect('one')
    await twins.insert(2)
    await twins.caughtUp()
    await expect.poll(() => ask('one')).toEqual(Array(2).fill(['Yes', 'Yes', 0]))
    // A source takes the second for the same replica come again, and ends the first.
    await connect('two')
    await expect.poll(() => ask('one')).toEqual(Array(2).fill(['No', 'Yes', 13_114]))
    await twins.insert(2)
    await twins.caughtUp()
    await expect.poll(() => ask('two')).toEqual(Array(2).fill(['Yes', 'Yes', 0]))
    await twins.run('STOP REPLICA', 'RESET REPLICA ALL')
    await twins.follow()
  })

  test('but no replica by file and position: a name means nothing after a failover', async () => {
    const { native, relayed, fixture } = twins
    const { file, position } = await end()
    await twins.follow(
      'SOURCE_AUTO_POSITION=0',
      `SOURCE_LOG_FILE='${file}'`,
      `SOURCE_LOG_POS=${position}`,
    )
    await twins.control('START')
    await expect.poll(() => twins.outcome(native)).toMatchObject(RUNNING)
    await expect.poll(() => twins.outcome(relayed)).toMatchObject(REFUSED)
    const { Last_IO_Error: text } = await fixture.status(relayed)
    expect(text).toContain('SOURCE_AUTO_POSITION=1')
    await twins.control('STOP')
    await twins.follow()
  })
})
