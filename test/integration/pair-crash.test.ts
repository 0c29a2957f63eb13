import { appendFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { EventType } from '../../src/binlog/event-type.ts'
import { describeFlavors } from '../helpers/needs.ts'
import type { Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { seeded } from '../helpers/seeded-random.ts'
import { SourceLoad } from '../helpers/source/source-load.ts'

describeFlavors('a %s pair', (flavor) => {
  let pair: ReplicatedPair
  let load: SourceLoad
  const random = seeded(20_261_122)

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { source: { maxBinlogBytes: 2 * 1024 ** 2 } })
    load = new SourceLoad(() => pair.source.socket, random)
    await load.create()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(async () => {
    await load?.stop()
    await pair?.stop()
  })

  async function expectAllEqual(): Promise<void> {
    await load.stop()
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  }

  test('loses nothing when gateways are killed at any moment under load', async () => {
    load.start()
    for (let round = 0; round < 10; round += 1) {
      await sleep(50 + random() * 700)
      const sites =
        round % 5 === 4
          ? (['production', 'dr'] as const)
          : ([random() < 0.5 ? 'production' : 'dr'] as const)
      await Promise.all(sites.map((site) => pair.pair.kill(site)))
      await sleep(random() * 200)
      for (const site of sites) await pair.pair.start(site)
      // Sometimes again while it still starts.
      if (random() < 0.3) {
        await sleep(random() * 600)
        await pair.restartGateway('dr')
      }
    }
    await expectAllEqual()
    await pair.readWithTool(...(await pair.spoolFiles()))
  })

  test('goes on after its source and its replica were stopped and killed', async () => {
    load.start()
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      // A MariaDB replica that is killed after its start and before it has applied anything is not
      // set up any more: it has thrown its relay logs away, and its note still names the last one.
      await pair.applying()
      await Promise.all([pair.restart('source', signal), pair.restart('replica', signal)])
    }
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    await expectAllEqual()
  })

  test('fetches the end of a file, and files without transactions, by position', async () => {
    const sql = await pair.sql()
    const flushWhileAway = async (site: Site, ...statements: readonly string[]) => {
      await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
      await sql.query("INSERT INTO load_test.t0 (v) VALUES ('last before the flush')")
      await pair.synced()
      await pair.pair.kill(site)
      for (const statement of statements) await sql.query(statement)
      await pair.pair.start(site)
      expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    }
    const flush = 'FLUSH BINARY LOGS'
    const insert = "INSERT INTO load_test.t0 (v) VALUES ('behind empty files')"
    await flushWhileAway('production', flush)
    await flushWhileAway('dr', flush, flush, flush)
    await flushWhileAway('production', flush, flush, insert, flush, flush)
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('feeds a second replica that is stopped for a while', async () => {
    const second = await pair.servers.start(flavor, { serverId: 3 })
    await pair.attach(second)
    expect(await pair.compareTables(60, second)).toMatchObject({ equal: true, failures: [] })
    load.start()
    await sleep(500)
    await pair.control(second, 'STOP')
    await sleep(500)
    await pair.control(second, 'START')
    await sleep(200)
    await load.stop()
    for (const replica of [pair.replica, second]) {
      expect(await pair.compareTables(60, replica)).toMatchObject({ equal: true, failures: [] })
    }
    await pair.pair.until('dr', ({ streams: [stream] }) => stream?.replicas.length === 2)
  })

  /** MySQL cuts such an end off when it starts. Last, for this file is never equal again. */
  test('passes the torn end that a killed source leaves in its file', async () => {
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    await pair.synced()
    pair.source.kill('SIGKILL')
    await pair.source.exited
    const names = await readdir(pair.source.binlogDirectory)
    const newest =
      names
        .filter((name) => /^binlog\.\d+$/.test(name))
        .sort()
        .at(-1) ?? ''
    const torn = Buffer.alloc(100)
    torn.writeUInt32LE(1_700_000_000, 0)
    torn.writeUInt8(EventType.Query, 4)
    torn.writeUInt32LE(1, 5)
    torn.writeUInt32LE(5_000, 9)
    await appendFile(join(pair.source.binlogDirectory, newest), torn)
    await pair.restart('source', 'SIGKILL')
    const sql = await pair.sql()
    await sql.query("INSERT INTO load_test.t0 (v) VALUES ('behind a torn end')")
    await pair.synced()
    await pair.restartGateway('dr')
    await sql.query("INSERT INTO load_test.t0 (v) VALUES ('and after a restart')")
    await pair.synced()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    await pair.readWithTool(...(await pair.spoolFiles()))
  })
})
