import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { TwinReplicas } from '../helpers/relay/twin-replicas.ts'

const STOPPED = { io: 'No', sql: 'No', ioErrno: 0, sqlErrno: 0 }

/** Each is asked of a source and of the relay over its files, by replicas that are the same. */
describe.each([
  { name: 'MariaDB', source: {}, replicas: {} },
  { name: 'a newer MariaDB', source: { release: 'newer' }, replicas: { release: 'newer' } },
  { name: 'MariaDB with newer replicas', source: {}, replicas: { release: 'newer' } },
] as const)(
  'START SLAVE UNTIL through the relay does what it does at $name:',
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

    /** The same position, but for domain 0. */
    const moved = (gtids: string, place: string | undefined) =>
      gtids.replace(/\b0-\d+-\d+/, String(place))

    test('a GTID: nothing behind it is executed, not even a DROP TABLE', async () => {
      const places = await twins.insert(4)
      await twins.fixture.write('CREATE TABLE shop.gone (id INT)', 'DROP TABLE shop.gone')
      await twins.control('START', `UNTIL master_gtid_pos='${places[1]}'`)
      const { gtids } = await twins.same(STOPPED)
      expect(gtids).toContain(places[1])
    })

    test('a statement without BEGIN and COMMIT is a place too', async () => {
      await twins.insert(1)
      await twins.fixture.write('CREATE TABLE shop.other (id INT)')
      const place = await twins.fixture.text(twins.fixture.sql, '@@last_gtid')
      await twins.fixture.write('DROP TABLE shop.other')
      await twins.control('START', `UNTIL master_gtid_pos='${place}'`)
      expect((await twins.same(STOPPED)).gtids).toContain(place)
    })

    test('a place in an older file, and one that is reached already', async () => {
      const places = await twins.insert(2)
      await twins.fixture.write('FLUSH BINARY LOGS')
      await twins.insert(2)
      for (const place of [places[0], places[1], places[0]]) {
        await twins.control('START', `UNTIL master_gtid_pos='${place}'`)
        await twins.same(STOPPED)
      }
      await twins.fixture.write('FLUSH BINARY LOGS')
      await twins.finish()
      await twins.control('STOP')
      await twins.control('START', `UNTIL master_gtid_pos='${places[1]}'`)
      await twins.same(STOPPED)
    })

    test('domains that are not named stay behind, and all named ones are waited for', async () => {
      const [first] = await twins.insert(1)
      await twins.insert(1, 7)
      const [second] = await twins.insert(1)
      const [other] = await twins.insert(1, 7)
      await twins.insert(1)
      await twins.insert(1, 7)
      await twins.control('START', `UNTIL master_gtid_pos='${first}'`)
      await twins.same(STOPPED)
      await twins.control('START', `UNTIL master_gtid_pos='${second},${other}'`)
      const { gtids } = await twins.same(STOPPED)
      expect(gtids).toBe(`${second},${other}`)
    })

    test('a place that is still to come is waited for', async () => {
      const [place] = await twins.insert(1)
      const [domain, server, number] = String(place).split('-').map(Number)
      const later = `${domain}-${server}-${(number ?? 0) + 3}`
      await twins.control('START', `UNTIL master_gtid_pos='${later}'`)
      await twins.same({ io: 'Yes', sql: 'Yes', gtids: expect.stringContaining(String(place)) })
      await twins.insert(5)
      expect((await twins.same(STOPPED)).gtids).toContain(later)
    })

    test('a place in purged files: reached for who is past it, else error 1236', async () => {
      const places = await twins.insert(3)
      await twins.finish()
      await twins.control('STOP')
      await twins.purge()
      await twins.insert(2)
      await twins.control('START', `UNTIL master_gtid_pos='${places[1]}'`)
      const { gtids } = await twins.same(STOPPED)
      await twins.run(`SET GLOBAL gtid_slave_pos='${moved(gtids, places[0])}'`)
      await twins.control('START', `UNTIL master_gtid_pos='${places[1]}'`)
      await twins.same({ io: 'No', ioErrno: 1236 })
      await twins.control('STOP')
      await twins.run(`SET GLOBAL gtid_slave_pos='${gtids}'`)
    })

    test('a replica that is ahead of the source: the place before it counts', async () => {
      const [place] = await twins.insert(1)
      const gtids = await twins.finish()
      await twins.control('STOP')
      await twins.run(`SET GLOBAL gtid_slave_pos='${moved(gtids, '0-1-999999')}'`)
      await twins.control('START', `UNTIL master_gtid_pos='${place}'`)
      await twins.same(STOPPED)
      await twins.control('START', `UNTIL master_gtid_pos='0-1-999998'`)
      await twins.same({ io: 'No', ioErrno: 1236 })
      await twins.control('STOP')
      await twins.run(`SET GLOBAL gtid_slave_pos='${gtids}'`)
    })

    test('a GTID that was left out by its source: the dump ends before the next one', async () => {
      const [place] = await twins.insert(1)
      const number = Number(place?.split('-')[2])
      await twins.fixture.write(`SET gtid_seq_no=${number + 100}`)
      await twins.insert(2)
      await twins.control('START', `UNTIL master_gtid_pos='0-1-${number + 50}'`)
      expect((await twins.same(STOPPED)).gtids).toContain(place)
    })

    test('a file and a position', async () => {
      await twins.insert(2)
      const { sql } = twins.fixture
      const [rows] = await sql.query('SHOW MASTER STATUS')
      const [{ File: file, Position: at } = { File: '', Position: 0 }] = rows as never[]
      await twins.insert(2)
      await twins.control('START', `UNTIL master_log_file='${file}', master_log_pos=${at}`)
      await twins.same({ sql: 'No', sqlErrno: 0 })
    })

    const before = async () => {
      const places = await twins.insert(5)
      await twins.control('START', `UNTIL SQL_BEFORE_GTIDS='${places[2]}'`)
      expect((await twins.same(STOPPED)).gtids).toContain(places[1])
      await twins.control('START', `UNTIL SQL_BEFORE_GTIDS='${places[1]}'`)
      await twins.same(STOPPED)
      await twins.control('START', `UNTIL SQL_AFTER_GTIDS='${places[2]}'`)
      expect((await twins.same(STOPPED)).gtids).toContain(places[2])
      await twins.control('START', `UNTIL SQL_BEFORE_GTIDS='${places[3]}'`)
      await twins.same(STOPPED)
      const [other, named] = await twins.insert(2, 7)
      await twins.insert(1)
      await twins.control('START', `UNTIL SQL_BEFORE_GTIDS='${places[4]},${named}'`)
      const { gtids } = await twins.same(STOPPED)
      expect([gtids.includes(`${places[3]}`), gtids.includes(`${other}`)]).toEqual([true, true])
    }

    const beforeAtOlder = async () => {
      const places = await twins.insert(3)
      await twins.control('START', `UNTIL SQL_BEFORE_GTIDS='${places[1]}'`)
      await twins.same(STOPPED, 'gtids', 'tables')
      expect((await twins.outcome(twins.native)).gtids).toContain(places[1])
      expect((await twins.outcome(twins.relayed)).gtids).toContain(places[0])
    }

    // Replicas of 10.11 have not got the words.
    const isNewer = (server: { readonly release?: string }) => server.release === 'newer'
    if (isNewer(servers.source)) test('SQL_BEFORE_GTIDS and SQL_AFTER_GTIDS', before)
    else if (isNewer(servers.replicas)) {
      test('an older source runs what SQL_BEFORE_GTIDS names, the relay not', beforeAtOlder)
    }
  },
)
