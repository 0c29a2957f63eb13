import { execFile } from 'node:child_process'
import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Connection, FieldPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Secret } from '../../src/base/secret.ts'
import { parseGtidSet } from '../../src/binlog/gtid-set.ts'
import { MariadbGtidState } from '../../src/binlog/mariadb-gtid-state.ts'
import { detachReplica } from '../../src/database/attach.ts'
import { findServerBinaries } from '../../src/lab/servers/server-binaries.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { RelayClient } from '../helpers/relay/relay-client.ts'
import {
  RELAY_PASSWORD,
  RELAY_USER,
  RelayFixture,
  type TestReplica,
} from '../helpers/relay/relay-fixture.ts'

const WAIT = { timeout: 60_000, interval: 100 }

const run = promisify(execFile)

/** The relay is no semi-sync source; a replica that would like one must go on without. */
const ASK_FOR_SEMI_SYNC = {
  mysql: `
    SET GLOBAL super_read_only=OFF; SET sql_log_bin=0;
    INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so';
    SET GLOBAL rpl_semi_sync_replica_enabled=1;
    SET sql_log_bin=1; SET GLOBAL super_read_only=ON`,
  mariadb: 'SET GLOBAL rpl_semi_sync_slave_enabled=1',
}

describeFlavors('%s replicas', (flavor) => {
  let fixture: RelayFixture
  let first: TestReplica
  let second: TestReplica

  beforeAll(async () => {
    fixture = await RelayFixture.create(flavor)
    first = await fixture.startReplica()
    second = await fixture.startReplica()
    await fixture.sql.query('CREATE DATABASE shop')
    await fixture.sql.query(
      'CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB) ENGINE=InnoDB',
    )
  })

  afterAll(() => fixture?.stop())

  test('cannot connect while nothing is stored', async () => {
    const address = { host: '127.0.0.1', port: fixture.port, user: RELAY_USER }
    await expect(
      connectSql({ ...address, password: RELAY_PASSWORD, tls: fixture.source.tls }),
    ).rejects.toThrow()
  })

  test('are attached over verified TLS, once, and become equal', async () => {
    await fixture.write("INSERT INTO shop.t (v) VALUES ('a'), ('b')", 'FLUSH BINARY LOGS')
    const planned = await fixture.attach(first, { dryRun: true })
    expect(planned.action).toBe('attach')
    expect(planned.findings).toEqual([])
    expect(JSON.stringify(planned.statements.map(({ shown }) => shown))).not.toContain('secret')
    expect((await fixture.attach(first)).action).toBe('attach')
    await fixture.caughtUp(first)
    const [left, right] = await fixture.tables(first, 'shop.t')
    expect(right).toEqual(left)
    expect((await fixture.attach(first)).action).toBe('none')
  })

  test('are attached under another SQL mode, then again to verify the relay', async () => {
    await second.sql.query("SET GLOBAL sql_mode='NO_BACKSLASH_ESCAPES'")
    const password = new Secret(RELAY_PASSWORD)
    const address = { host: '127.0.0.1', port: fixture.port, user: RELAY_USER, password }
    const attach = (caPath: string | null, waitMs = 15_000) =>
      fixture.attach(second, { target: { ...address, caPath, isNamed: () => false }, waitMs })
    expect((await attach(null)).findings[0]?.message).toContain('will not verify the relay')
    await expect(attach(second.server.tls?.authority ?? null, 2_000)).rejects.toMatchObject({
      code: 'ERR_REPLICA_ATTACH',
    })
    const authority = fixture.source.tls?.authority ?? null
    const { action, replica } = await attach(authority)
    expect([action, replica.following?.caPath]).toEqual(['attach', authority])
    await fixture.caughtUp(second)
  })

  test('follow together, live and over file changes, one asking for semi-sync', async () => {
    await second.sql.query(ASK_FOR_SEMI_SYNC[flavor])
    await fixture.control(second, 'STOP')
    await fixture.attach(second)
    for (let round = 0; round < 5; round += 1) {
      await fixture.write(
        `INSERT INTO shop.t (v) SELECT REPEAT('r', 1000) FROM shop.t`,
        'UPDATE shop.t SET v = CONCAT(v, id) WHERE id % 3 = 0',
        ...(round % 2 === 0 ? ['FLUSH BINARY LOGS'] : []),
      )
    }
    for (const replica of [first, second]) {
      await fixture.caughtUp(replica)
      const [left, right] = await fixture.tables(replica, 'shop.t')
      expect(right).toEqual(left)
    }
    await fixture.eventually(() =>
      fixture.relay.status().replicas.every(({ state }) => state === 'caught-up'),
    )
    const { replicas } = fixture.relay.status()
    expect(replicas.map(({ serverId }) => serverId).sort()).toEqual([2, 3])
    const end = fixture.store.end()
    expect(replicas[0]?.sent?.offset).toBe(end?.offset)
  })

  test('keep the file of what they have not applied, and may ask for it again', async () => {
    const thread = flavor === 'mysql' ? 'REPLICA SQL_THREAD' : 'SLAVE SQL_THREAD'
    const position = flavor === 'mysql' ? '@@gtid_executed' : '@@gtid_slave_pos'
    const { serverId } = first.server
    const needed = async (): Promise<string | undefined> => {
      fixture.applied.set(serverId, await fixture.text(first.sql, position))
      fixture.relay.confirmClaims()
      const uuid = await fixture.text(first.sql, flavor === 'mysql' ? '@@server_uuid' : "''")
      return fixture.store.claims.kept.get(`replica:${uuid || `id:${serverId}`}`)
    }
    const sent = () =>
      fixture.relay.status().replicas.find((replica) => replica.serverId === serverId)?.sent?.file
    const behind = fixture.store.files().at(-1)?.name
    await first.sql.query(`STOP ${thread}`)
    const insert = "INSERT INTO shop.t (v) VALUES ('unapplied')"
    await fixture.write(insert, 'FLUSH BINARY LOGS', insert, 'FLUSH BINARY LOGS', insert)
    const newest = fixture.store.files().at(-1)?.name
    await fixture.eventually(() => sent() === newest)
    expect(await needed()).toBe(behind)
    // MariaDB drops what it has received and asks from what it has applied.
    await fixture.control(first, 'STOP')
    await fixture.control(first, 'START')
    await fixture.caughtUp(first)
    const [left, right] = await fixture.tables(first, 'shop.t')
    expect(right).toEqual(left)
    // It may still be at the door when it has applied all that it had received.
    await fixture.eventually(async () => (await needed()) === newest)
  })

  async function heartbeats(): Promise<number> {
    const query =
      flavor === 'mysql'
        ? 'COUNT_RECEIVED_HEARTBEATS FROM performance_schema.replication_connection_status'
        : 'VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS ' +
          "WHERE VARIABLE_NAME = 'SLAVE_RECEIVED_HEARTBEATS'"
    return Number(await fixture.text(first.sql, query))
  }

  test('hear heartbeats while nothing happens', async () => {
    const before = await heartbeats()
    await fixture.eventually(async () => (await heartbeats()) > before)
    expect(await fixture.status(first)).toMatchObject({ Last_IO_Errno: 0 })
  })

  test('hear them also behind a rotate event whose next file is not stored yet', async () => {
    const change =
      flavor === 'mysql'
        ? 'CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD=0.2'
        : 'CHANGE MASTER TO MASTER_HEARTBEAT_PERIOD=0.2'
    await fixture.control(first, 'STOP')
    await first.sql.query(change)
    await fixture.control(first, 'START')
    await fixture.sql.query("INSERT INTO shop.t (v) VALUES ('last of its file')")
    await fixture.store.look()
    const newest = fixture.store.files().at(-1)?.name ?? ''
    const number = Number(newest.slice(-6)) + 1
    fixture.store.hide(`binlog.${String(number).padStart(6, '0')}`)
    await fixture.sql.query('FLUSH BINARY LOGS')
    await fixture.store.look()
    await fixture.caughtUp(first)
    const before = await heartbeats()
    await fixture.eventually(async () => (await heartbeats()) >= before + 3)
    expect(await fixture.status(first)).toMatchObject({ Last_IO_Errno: 0, Last_IO_Error: '' })
    fixture.store.hide(null)
    await fixture.write("INSERT INTO shop.t (v) VALUES ('first of the next')")
    await fixture.caughtUp(first)
  })

  test('go on in the middle of a file after a stop, without what they have', async () => {
    await fixture.control(first, 'STOP')
    await fixture.write("INSERT INTO shop.t (v) VALUES ('while away')", 'FLUSH BINARY LOGS')
    await fixture.write("INSERT INTO shop.t (v) VALUES ('while away 2')")
    await fixture.control(first, 'START')
    await fixture.caughtUp(first)
    await fixture.control(first, 'STOP')
    await fixture.control(first, 'START')
    await fixture.write("INSERT INTO shop.t (v) VALUES ('after')")
    await fixture.caughtUp(first)
    const [left, right] = await fixture.tables(first, 'shop.t')
    expect(right).toEqual(left)
  })

  test('survive a connection killed inside a transaction with events beyond 16 MiB', async () => {
    const retry =
      flavor === 'mysql'
        ? 'CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY=1'
        : 'CHANGE MASTER TO MASTER_CONNECT_RETRY=1'
    await fixture.control(first, 'STOP')
    await first.sql.query(retry)
    await fixture.control(first, 'START')
    const killer = await connectSql({
      host: '127.0.0.1',
      port: fixture.port,
      user: RELAY_USER,
      password: RELAY_PASSWORD,
      tls: fixture.source.tls,
    })
    await fixture.sql.query('BEGIN')
    for (const size of [16_777_215, 20_000_000, 33_554_432]) {
      await fixture.sql.query(`INSERT INTO shop.t (v) VALUES (REPEAT('z', ${size}))`)
    }
    await fixture.write('COMMIT')
    const end = fixture.store.end()?.offset ?? 0
    const { replicas } = fixture.relay.status()
    // Whoever dumps now is in the middle of it.
    expect(replicas.every(({ sent }) => (sent?.offset ?? 0) < end)).toBe(true)
    const own = Number(await fixture.text(killer, 'CONNECTION_ID()'))
    for (let id = 1; id < own; id += 1) await killer.query(`KILL ${id}`).catch(() => undefined)
    await killer.end()
    await fixture.write("INSERT INTO shop.t (v) VALUES ('small')")
    for (const replica of [first, second]) {
      await fixture.caughtUp(replica)
      const [left, right] = await fixture.tables(replica, 'shop.t')
      expect(right).toEqual(left)
    }
  })

  test('follow tags or domains, and stand by what they have of each', async () => {
    const tagged = (text: string) =>
      flavor === 'mysql' ? `SET gtid_next='AUTOMATIC:${text}'` : `SET gtid_domain_id=${text.length}`
    const reset = flavor === 'mysql' ? "SET gtid_next='AUTOMATIC'" : 'SET gtid_domain_id=0'
    const insert = "INSERT INTO shop.t (v) VALUES ('other')"
    await fixture.write(tagged('app'), insert, tagged('batch'), insert, reset, insert)
    await fixture.caughtUp(first)
    await fixture.control(first, 'STOP')
    await fixture.write(tagged('app'), insert, reset, insert, 'FLUSH BINARY LOGS')
    await fixture.write(tagged('batch'), insert, reset, insert)
    await fixture.control(first, 'START')
    await fixture.caughtUp(first)
    await fixture.control(first, 'STOP')
    await fixture.control(first, 'START')
    await fixture.write(tagged('app'), insert, reset, insert)
    await fixture.caughtUp(first)
    const [left, right] = await fixture.tables(first, 'shop.t')
    expect(right).toEqual(left)
    const printed = fixture.store.gtids()
    const set = parseGtidSet(flavor, printed)
    expect(set instanceof MariadbGtidState ? set.toStateString() : `${set}`).toBe(printed)
    expect(printed).toContain(flavor === 'mysql' ? ':app:1-3:batch:1-2' : '3-1-3,5-1-2')
  })

  test('read files byte for byte with the binlog tool', async () => {
    const binaries = await findServerBinaries(flavor)
    const [command = '', ...leading] = binaries.binlogTool
    const folder = await mkdtemp(join(fixture.servers.directory, 'raw-'))
    const [file] = fixture.store.files()
    await run(command, [
      ...leading,
      '--no-defaults',
      '--read-from-remote-server',
      '--host=127.0.0.1',
      `--port=${fixture.port}`,
      `--user=${RELAY_USER}`,
      `--password=${RELAY_PASSWORD}`,
      ...(flavor === 'mysql' ? ['--ssl-mode=REQUIRED'] : ['--ssl']),
      '--raw',
      `--result-file=${folder}/`,
      file?.name ?? '',
    ])
    const copy = await readFile(join(folder, file?.name ?? ''))
    expect(copy.equals(await readFile(file?.path ?? ''))).toBe(true)
  })

  describe('those who watch them', () => {
    let relaySql: Connection

    beforeAll(async () => {
      const { port, source } = fixture
      const address = { host: '127.0.0.1', port, user: RELAY_USER, password: RELAY_PASSWORD }
      relaySql = await connectSql({ ...address, tls: source.tls })
    })
    afterAll(() => relaySql?.destroy())

    type Rows = Record<string, unknown>[]
    interface Answer {
      readonly columns: string[]
      readonly rows: Rows
    }
    /** With every value as text, as the relay gives it. */
    async function ask(sql: Connection, query: string): Promise<Answer> {
      const [rows, fields] = await sql.query({ sql: query, typeCast: (field) => field.string() })
      return { columns: (fields as FieldPacket[]).map(({ name }) => name), rows: rows as Rows }
    }
    const both = (query: string) => Promise.all([ask(fixture.sql, query), ask(relaySql, query)])
    const failure = (sql: Connection, query: string) =>
      sql.query(query).then(
        () => null,
        ({ errno, message }) => ({ errno, message }),
      )

    const forReplicas = flavor === 'mysql' ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS'
    test.each([
      forReplicas,
      'SHOW PROCESSLIST',
      'SHOW FULL PROCESSLIST',
      'SHOW BINLOG EVENTS LIMIT 1',
      'SHOW BINARY LOGS',
      flavor === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
      "SHOW GLOBAL STATUS LIKE 'Uptime'",
      'SHOW WARNINGS',
    ])('get the columns of their source: %s', async (query) => {
      const [server, relay] = await both(query)
      expect(relay.columns).toEqual(server.columns)
    })

    test('see who is attached, and what every connection does', async () => {
      const [id, source] =
        flavor === 'mysql' ? ['Server_Id', 'Source_Id'] : ['Server_id', 'Master_id']
      const { rows } = await ask(relaySql, forReplicas)
      expect(rows.map((row) => row[id]).sort()).toEqual(['2', '3'])
      expect(rows[0]).toMatchObject({ [source]: '4200000001', Host: '127.0.0.1' })
      const processes = (await ask(relaySql, 'SHOW FULL PROCESSLIST')).rows
      const dumps = processes.filter(({ Command: command }) => String(command).startsWith('Binlog'))
      expect(dumps).toMatchObject([{ User: RELAY_USER }, { User: RELAY_USER }])
      expect(processes).toContainEqual(
        expect.objectContaining({ Command: 'Query', Info: 'SHOW FULL PROCESSLIST' }),
      )
    })

    test('see the events of a file as their source shows them', async () => {
      const names = fixture.store.files().map(({ name }) => name)
      for (const name of names) {
        for (const rest of ['LIMIT 5', 'LIMIT 3, 40', 'LIMIT 2 OFFSET 1']) {
          const query = `SHOW BINLOG EVENTS IN '${name}' ${rest}`
          const shown = ({ rows }: Answer) => rows.map(({ Info: _, ...row }) => row)
          // MariaDB adds a checkpoint by itself, some time after a file was begun.
          const [server, relay] = await vi.waitFor(async () => {
            await fixture.store.look()
            const answers = await both(query)
            expect(shown(answers[1]), query).toEqual(shown(answers[0]))
            return answers
          }, WAIT)
          for (const [at, { Event_type: type, Info: info }] of relay.rows.entries()) {
            // What a server adds to a statement, and what takes more than a look, is left out.
            if (info === '' || type === 'Query') continue
            expect(info, query).toBe(server.rows[at]?.Info)
          }
          const third = server.rows[2]?.Pos
          if (third === undefined) continue
          const from = await both(`SHOW BINLOG EVENTS IN '${name}' FROM ${third} LIMIT 2`)
          expect(shown(from[1])).toEqual(shown(from[0]))
        }
      }
      for (const wrong of ["IN 'nobody.000001'", `IN '${names[0]}' FROM 2000000000`]) {
        const query = `SHOW BINLOG EVENTS ${wrong} LIMIT 1`
        expect(await failure(relaySql, query)).toEqual(await failure(fixture.sql, query))
      }
    })

    test('get figures that their source has too', async () => {
      const [server, relay] = await both('SHOW GLOBAL STATUS')
      const names = new Set(server.rows.map(({ Variable_name: name }) => name))
      expect(relay.rows.filter(({ Variable_name: name }) => !names.has(name))).toEqual([])
      expect(relay.rows.length).toBeGreaterThan(10)
      const [some] = (await ask(relaySql, "SHOW STATUS LIKE 'threads\\_conn%'")).rows
      expect(some).toMatchObject({ Variable_name: 'Threads_connected', Value: '3' })
    })

    test('get a line of statistics, and what the admin tool makes of it', async () => {
      const words = (text: string) => text.trim().replaceAll(/[\d.]+/g, '#')
      const address = { port: fixture.port, user: RELAY_USER, password: RELAY_PASSWORD }
      const client = await RelayClient.login({ ...address, tls: true })
      client.command(0x09)
      const line = (await client.need()).toString()
      client.command(0x0a)
      const columns = (await client.need())[0]
      client.destroy()
      expect(columns).toBe((await ask(fixture.sql, 'SHOW PROCESSLIST')).columns.length)
      const opens = flavor === 'mysql' ? 'Opens: #  Flush tables: #' : 'Opens: #'
      expect(words(line)).toBe(
        `Uptime: #  Threads: #  Questions: #  Slow queries: #  ${opens}  Open tables: #  ` +
          'Queries per second avg: #',
      )
      if (flavor === 'mysql') return
      const tool = async (flags: readonly string[], word: string, password = '') => {
        const env = { ...process.env, MYSQL_PWD: password }
        return (await run('mariadb-admin', ['--no-defaults', ...flags, word], { env })).stdout
      }
      const atSource = (word: string) => tool(['-uroot', '-S', fixture.source.socket], word)
      const atRelay = (word: string) => {
        const flags = ['-h127.0.0.1', `-P${address.port}`, `-u${RELAY_USER}`, '--ssl']
        return tool([...flags, '--disable-ssl-verify-server-cert'], word, RELAY_PASSWORD)
      }
      expect(words(await atSource('status'))).toBe(words(line))
      expect(words(await atRelay('status'))).toBe(words(line))
      const [, title] = (await atSource('processlist')).split('\n')
      const shown = (await atRelay('processlist')).split('\n')
      const names = (row = '') => row.split('|').map((name) => name.trim())
      expect(names(shown[1])).toEqual(names(title))
      expect(shown.filter((row) => row.includes('Binlog Dump'))).toHaveLength(2)
    })
  })

  test('are refused with a readable reason when what they need is gone', async () => {
    const third = await fixture.startReplica()
    const see = async (hidden: string | null) => {
      fixture.store.hide(hidden)
      await fixture.store.look()
    }
    const oldest = fixture.store.files()[0]?.name ?? null
    await see(oldest)
    const { findings } = await fixture.attach(third, { dryRun: true })
    expect(findings[0]?.message).toContain('no longer stored')
    const attach = fixture.attach(third)
    await expect(attach).rejects.toMatchObject({
      code: 'ERR_REPLICA_ATTACH',
      message: expect.stringContaining('no longer stored'),
    })
    // And whoever does not ask first is told by the relay.
    await see(null)
    const { statements } = await fixture.attach(third, { dryRun: true })
    await see(oldest)
    for (const { sql } of statements) await third.sql.query(sql)
    await fixture.eventually(async () => {
      const { Last_IO_Error: text } = await fixture.status(third)
      return String(text).includes('landbridge: the stored binlog begins after')
    })
    await see(null)
  })

  test('are refused when they have transactions of the source that are not stored', async () => {
    const gtid =
      flavor === 'mysql' ? `${fixture.store.identity()?.serverUuid}:999999` : '0-1-999999'
    await fixture.control(second, 'STOP')
    if (flavor === 'mysql') {
      await second.sql.query(`SET gtid_next='${gtid}'; BEGIN; COMMIT; SET gtid_next='AUTOMATIC'`)
    } else await second.sql.query(`SET GLOBAL gtid_slave_pos='${gtid}'`)
    const attach = fixture.attach(second)
    await expect(attach).rejects.toMatchObject({ message: expect.stringContaining('999999') })
    await fixture.control(second, 'START')
    await fixture.eventually(async () => {
      const { Last_IO_Error: text } = await fixture.status(second)
      return String(text).includes('landbridge') && String(text).includes('999999')
    })
  })

  test('are detached, and forget the relay', async () => {
    const password = new Secret(RELAY_PASSWORD)
    const target = { host: '127.0.0.1', port: fixture.port, user: RELAY_USER, password }
    const detach = () =>
      detachReplica(
        {
          replica: first.login,
          target: { ...target, caPath: null, isNamed: () => true },
          dryRun: false,
          force: false,
        },
        AbortSignal.timeout(20_000),
      )
    expect((await detach()).action).toBe('detach')
    expect((await detach()).action).toBe('none')
    await fixture.eventually(() => {
      const replica = fixture.relay.status().replicas.find(({ serverId }) => serverId === 2)
      return replica?.state === 'disconnected'
    })
  })

  test('need TLS and the right password', async () => {
    const address = { host: '127.0.0.1', port: fixture.port, user: RELAY_USER }
    const plain = connectSql({ ...address, password: RELAY_PASSWORD })
    await expect(plain).rejects.toMatchObject({ errno: 3159 })
    const wrong = connectSql({ ...address, password: 'wrong', tls: fixture.source.tls })
    await expect(wrong).rejects.toMatchObject({ errno: 1045 })
  })
})
