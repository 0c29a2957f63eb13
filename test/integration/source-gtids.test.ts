import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import type { Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const OTHER = '11111111-2222-3333-4444-555555555555'
const SITES = ['production', 'dr'] as const

/** In the order of a source's life. MariaDB has neither. */
describe('a mysql source whose GTIDs are no longer those of its log', needs('mysql'), () => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create('mysql')
    await atSource('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
    await atSource('INSERT INTO d.t VALUES ()')
    await pair.synced()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function atSource(statements: string): Promise<void> {
    const sql = await pair.sql()
    await sql.query(statements)
    sql.destroy()
  }

  async function problem(site: Site, code: string): Promise<string> {
    const { problems } = await pair.pair.until(site, (status) =>
      status.problems.some((one) => one.code === code),
    )
    const { severity, message, remedy } = problems.find((one) => one.code === code) ?? {}
    return `${severity}: ${message}. ${remedy}`
  }

  async function expectAllEqual(): Promise<void> {
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  }

  test('is followed on, and what was added to gtid_purged is named', async () => {
    const gtids = `${OTHER}:1-100`
    await atSource(`SET GLOBAL gtid_purged = '+${gtids}'`)
    const told = await problem('dr', 'ERR_SOURCE_UNLOGGED')
    expect(told).toMatch(/^error: the source counts .* so no copy gets them: /)
    expect(told).toContain(`SET GLOBAL gtid_purged = '+${gtids}'`)
    for (const site of SITES) {
      await pair.restartGateway(site)
      await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
      await atSource('INSERT INTO d.t VALUES ()')
      await problem('dr', 'ERR_SOURCE_UNLOGGED')
    }
    const { streams } = await pair.pair.until('dr', (status) => {
      return status.streams[0]?.receiveLag?.ms === 0
    })
    expect(streams[0]?.receiveLag).toMatchObject({ transactions: 0, bytes: 0 })
    // The replica connects again a moment after the gateway is back.
    await expect
      .poll(async () => (await pair.pair.command('dr', 'status')).stdout)
      .toContain('no: replica 2 lacks what the source never wrote to its log')
    // The remedy, as it is written.
    const remedy = /SET GLOBAL gtid_purged = '[^']*'/.exec(told)?.[0] ?? ''
    await (await pair.sql(pair.replica ?? undefined)).query(remedy)
    await pair.pair.until('dr', ({ problems }) => {
      return !problems.some(({ code }) => code === 'ERR_SOURCE_UNLOGGED')
    })
    await expectAllEqual()
  })

  test('says that it would be refused before it is', async () => {
    await atSource('SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE')
    const told = await problem('production', 'ERR_SOURCE_NO_GTID')
    expect(told).toMatch(/^error: .*gtid_mode=OFF_PERMISSIVE.*: the next dump will be refused/)
    await atSource('SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON')
    await pair.pair.until('production', ({ problems }) => {
      return !problems.some(({ code }) => code === 'ERR_SOURCE_NO_GTID')
    })
  })

  const WITHOUT_GTIDS = `SET GLOBAL gtid_mode = ON_PERMISSIVE;
    SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = OFF;
    INSERT INTO d.t VALUES (); INSERT INTO d.t VALUES ();
    SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = ON_PERMISSIVE;
    SET GLOBAL gtid_mode = ON; INSERT INTO d.t VALUES ()`

  async function expectBlockedAndFollowTheRemedy(): Promise<void> {
    for (const site of SITES) {
      const told = await problem(site, 'ERR_SOURCE_ANONYMOUS')
      expect(told).toMatch(/^blocked: the source wrote transactions without a GTID at \d+ of /)
      expect(told).toContain('SET GLOBAL gtid_mode = ON_PERMISSIVE at the source')
    }
    await atSource('SET GLOBAL gtid_mode = ON_PERMISSIVE; INSERT INTO d.t VALUES ()')
    await pair.pair.until('dr', ({ problems, streams }) => {
      const isBlocked = problems.some(({ code }) => code === 'ERR_SOURCE_ANONYMOUS')
      return !isBlocked && streams[0]?.receiveLag?.ms === 0
    })
    // By GTID such a source serves nobody, also in its newest file.
    await pair.restartGateway('production')
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'streaming')
    await atSource('INSERT INTO d.t VALUES ()')
    await pair.pair.until('dr', ({ streams }) => streams[0]?.receiveLag?.ms === 0)
    await atSource('SET GLOBAL gtid_mode = ON; INSERT INTO d.t VALUES ()')
    await pair.restartGateway('production')
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    const { state, problems } = await pair.pair.until('production', ({ streams }) => {
      return streams[0]?.state === 'streaming'
    })
    expect(problems.filter(({ severity }) => severity !== 'warning')).toEqual([])
    expect(state).toBe('ok')
  }

  test('that wrote without GTIDs blocks with a way on, and goes on by it', async () => {
    await pair.pair.kill('production')
    await atSource(WITHOUT_GTIDS)
    await pair.pair.start('production')
    await expectBlockedAndFollowTheRemedy()
  })

  test('that turned them off and on while it was followed does the same', async () => {
    // Where the spool ends in the source's newest file, the dump is asked for by GTID.
    await atSource('INSERT INTO d.t VALUES ()')
    await pair.pair.until('dr', ({ streams }) => streams[0]?.receiveLag?.ms === 0)
    await pair.restartGateway('production')
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'streaming')
    await atSource(WITHOUT_GTIDS)
    await expectBlockedAndFollowTheRemedy()
  })
})
