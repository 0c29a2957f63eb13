import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { compareSpool } from '../../src/lab/compare/compare-spool.ts'
import { compareTables } from '../../src/lab/compare/compare-tables.ts'
import { newestEpochFolder } from '../../src/lab/compare/spool-files.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import type { TermRecord } from '../../src/status/term-record.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { NAMES, type Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

interface Place {
  readonly site: Site
  readonly server: RunningServer
  readonly relayPort: number
  readonly spoolDirectory: string
}

const WRITERS = 3

describeFlavors('the origin of a %s stream', (flavor) => {
  let pair: ReplicatedPair
  let ec2: Place
  let azure: Place
  /** What the applications were told is committed. */
  const acknowledged: number[] = []
  let next = 0
  let stopWriting: (() => Promise<void>) | null = null

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { bothRoles: true })
    const { pair: gateways, source, replica } = pair
    if (replica === null) throw new Error('there is no replica')
    ec2 = {
      site: 'production',
      server: source,
      relayPort: gateways.productionRelayPort,
      spoolDirectory: gateways.productionSpoolDirectory,
    }
    azure = {
      site: 'dr',
      server: replica,
      relayPort: gateways.relayPort,
      spoolDirectory: gateways.spoolDirectory,
    }
    const sql = await pair.sql(source)
    // Without a key, so that a transaction that came twice is there twice.
    await sql.query('CREATE DATABASE app; CREATE TABLE app.ledger (n INT)')
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(async () => {
    await stopWriting?.()
    await pair?.stop()
  })

  /** Applications that write to one server, each until it refuses or they are stopped. */
  function write(server: RunningServer): () => Promise<void> {
    let isOver = false
    const writer = async (): Promise<void> => {
      const sql = await pair.sql(server)
      await sql.query(
        'CREATE USER IF NOT EXISTS app@localhost; GRANT ALL ON app.* TO app@localhost',
      )
      while (!isOver) {
        const n = next
        next += 1
        await sql.query(`INSERT INTO app.ledger VALUES (${n})`)
        acknowledged.push(n)
      }
    }
    const writers = Array.from({ length: WRITERS }, () => writer())
    return async () => {
      isOver = true
      await Promise.all(writers)
    }
  }

  async function gtidsOf(sql: Connection, variable: string): Promise<string> {
    const [rows] = await sql.query<RowDataPacket[]>(`SELECT @@GLOBAL.${variable} AS value`)
    return String(rows[0]?.value).replaceAll(/\s/g, '')
  }

  /** What the recovery verbs will do one day: the databases are moved by hand. */
  async function promote(from: Place, to: Place): Promise<void> {
    const old = await pair.sql(from.server)
    const fresh = await pair.sql(to.server)
    const [slave, all] = flavor === 'mysql' ? ['REPLICA', ''] : ['SLAVE', '']
    const [has, applied] =
      flavor === 'mysql'
        ? ['gtid_executed', 'gtid_executed']
        : ['gtid_binlog_pos', 'gtid_slave_pos']
    const wanted = await gtidsOf(old, has)
    await pair.eventually(async () => (await gtidsOf(fresh, applied)) === wanted)
    await fresh.query(`STOP ${slave}; RESET ${slave} ALL${all}; SET GLOBAL read_only = OFF`)
  }

  /** The old origin's server becomes a replica of the relay beside it. */
  async function demote({ server, relayPort }: Place): Promise<void> {
    const sql = await pair.sql(server)
    if (flavor === 'mariadb') {
      await sql.query('SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos')
    }
    await pair.attach(server, relayPort)
  }

  async function isReadOnly({ server }: Place): Promise<boolean> {
    const sql = await pair.sql(server)
    const variable = flavor === 'mysql' ? 'super_read_only' : 'read_only'
    return ['1', 'ON'].includes(await gtidsOf(sql, variable))
  }

  async function expectSame(origin: Place, copy: Place): Promise<void> {
    const signal = AbortSignal.timeout(120_000)
    const spool = await compareSpool({
      sourceSocket: origin.server.socket,
      sourceBinlogDirectory: origin.server.binlogDirectory,
      spoolFiles: () => newestEpochFolder(copy.spoolDirectory),
      waitSeconds: 60,
      signal,
    })
    expect(spool).toMatchObject({ identical: true, failures: [] })
    const tables = await compareTables({
      flavor,
      sourceSocket: origin.server.socket,
      replicaSocket: copy.server.socket,
      waitSeconds: 60,
      signal,
    })
    expect(tables).toMatchObject({ equal: true, failures: [] })
  }

  /** Moves the origin from one site to the other, while applications write. */
  async function reverse(from: Place, to: Place, term: number): Promise<void> {
    const pids = [pair.pair.pid('production'), pair.pair.pid('dr')]
    stopWriting = write(from.server)
    await sleep(1_000)
    await stopWriting()
    await promote(from, to)
    const advanced = await pair.pair.operate<{ changed: boolean; term: TermRecord }>(
      to.site,
      'term.advance',
      { stream: 'main', reason: 'a test' },
    )
    expect(advanced).toMatchObject({ changed: true, term: { term, origin: NAMES[to.site] } })
    stopWriting = write(to.server)
    await pair.pair.until(from.site, ({ streams: [stream] }) => {
      return stream?.role === 'copy' && stream.term.term === term && stream.state === 'streaming'
    })
    await pair.eventually(() => isReadOnly(from))
    await demote(from)
    await sleep(1_000)
    await stopWriting()
    await expectSame(to, from)
    expect([pair.pair.pid('production'), pair.pair.pid('dr')]).toEqual(pids)
    for (const { site } of [from, to]) await pair.pair.until(site, ({ state }) => state === 'ok')
  }

  async function expectNothingLost(): Promise<void> {
    for (const { server } of [ec2, azure]) {
      const sql = await pair.sql(server)
      const [rows] = await sql.query<RowDataPacket[]>('SELECT n FROM app.ledger ORDER BY n')
      const stored = rows.map(({ n }) => Number(n))
      expect(stored).toEqual([...acknowledged].sort((a, b) => a - b))
    }
  }

  test('moves three times while applications write: nothing lost, nothing doubled', async () => {
    await reverse(ec2, azure, 2)
    await reverse(azure, ec2, 3)
    await reverse(ec2, azure, 4)
    await expectNothingLost()
    expect(acknowledged.length).toBeGreaterThan(1_000)
  })

  test('is moved by asking again for what is decided already no further', async () => {
    const again = await pair.pair.operate('dr', 'term.advance', { stream: 'main', reason: 'again' })
    expect(again).toMatchObject({ changed: false, term: { term: 4, origin: 'azure' } })
  })

  test('stays where it is over a restart of both gateways', async () => {
    for (const site of ['production', 'dr'] as const) await pair.restartGateway(site)
    await pair.pair.until('production', ({ streams: [stream] }) => {
      return stream?.role === 'copy' && stream.state === 'streaming' && stream.term.term === 4
    })
    const { streams } = await pair.pair.until('dr', ({ state }) => state === 'ok')
    expect(streams[0]).toMatchObject({ role: 'origin', term: { term: 4, reason: 'a test' } })
  })

  test('moves while the other gateway is away, which comes back as a copy', async () => {
    await pair.pair.kill('dr')
    await promote(azure, ec2)
    const input = { stream: 'main', reason: 'azure is away' }
    await pair.pair.operate('production', 'term.advance', input)
    stopWriting = write(ec2.server)
    await sleep(500)
    await pair.pair.start('dr')
    const { streams } = await pair.pair.until('dr', ({ streams: [stream] }) => {
      return stream?.role === 'copy' && stream.state === 'streaming'
    })
    expect(streams[0]?.term).toMatchObject({ term: 5, origin: 'ec2' })
    await pair.eventually(() => isReadOnly(azure))
    await demote(azure)
    await stopWriting()
    await expectSame(ec2, azure)
    await expectNothingLost()
    const production = await pair.pair.until('production', ({ state }) => state === 'ok')
    // It has received nothing since it is the origin.
    expect(production.streams[0]).toMatchObject({ role: 'origin', spool: null, peer: null })
  })
})
