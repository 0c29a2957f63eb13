import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { Problem } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair, SOURCE_PASSWORD } from '../helpers/pair/replicated-pair.ts'
import { runStatusCommand } from '../helpers/status/status-command.ts'

const SITES = ['production', 'dr'] as const

describeFlavors('a %s pair in trouble', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { attach: false })
    await pair.held()
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function problemAt(site: 'production' | 'dr', accept: RegExp): Promise<Problem> {
    const { problems } = await pair.pair.until(site, (status) =>
      status.problems.some(({ code }) => accept.test(code)),
    )
    return problems.find(({ code }) => accept.test(code)) as Problem
  }

  async function expectHealthy(): Promise<void> {
    for (const site of SITES) {
      await pair.pair.until(
        site,
        ({ state, streams }) => state === 'ok' && streams[0]?.state === 'streaming',
      )
    }
  }

  async function insert(...extra: readonly string[]): Promise<void> {
    const sql = await pair.sql()
    for (const text of ['INSERT INTO d.t () VALUES ()', ...extra]) await sql.query(text)
    sql.destroy()
  }

  async function exitCodeOfStatus(site: 'production' | 'dr'): Promise<unknown> {
    return (await runStatusCommand(pair.pair.configPath(site))).exitCode
  }

  test('says that the source is away, and goes on when it is back', async () => {
    const pids = SITES.map((site) => pair.pair.pid(site))
    pair.source.kill('SIGKILL')
    for (const site of SITES) await problemAt(site, /^ERR_SOURCE/)
    await pair.restart('source', 'SIGKILL')
    await expectHealthy()
    await insert()
    expect(await pair.compareSpool()).toMatchObject({ identical: true })
    expect(SITES.map((site) => pair.pair.pid(site))).toEqual(pids)
  })

  test('DR says until when production was known, also after a restart of it alone', async () => {
    await insert()
    await pair.synced()
    // A new epoch forgets what was known before; a second later it is known again.
    await pair.pair.until('dr', ({ streams }) => streams[0]?.receiveLag?.ms === 0)
    await pair.pair.kill('production')
    const before = (await pair.pair.status('dr'))?.streams[0]
    expect(before?.source.position).toBeTruthy()
    await pair.restartGateway('dr', 'SIGTERM')
    const { streams, startedAtMs, nowMs } = await pair.pair.until('dr', (status) => {
      return (status.streams[0]?.receiveLag?.provenAgoMs ?? null) !== null
    })
    const [stream] = streams
    expect(stream?.source).toMatchObject({ connected: false, position: before?.source.position })
    expect(stream?.receiveLag).toMatchObject({ bytes: 0, transactions: 0, ms: 0 })
    expect(stream?.receiveLag?.provenAgoMs).toBeGreaterThan(nowMs - startedAtMs)
    expect((await runStatusCommand(pair.pair.configPath('dr'))).text).toMatch(
      /lag +none known, last asked .* ago \(before this start, .* UTC\)/,
    )
    await pair.pair.start('production')
    await expectHealthy()
  })

  test('names a wrong password of the source without telling it', async () => {
    const sql = await pair.sql()
    const change = (password: string) =>
      sql.query(
        `SET sql_log_bin = 0; ALTER USER landbridge@'127.0.0.1' IDENTIFIED BY '${password}'`,
      )
    await change('changed-secret')
    await pair.restartGateway('production')
    for (const site of SITES) {
      const problem = await problemAt(site, /^ERR_SOURCE_LOGIN$/)
      expect(problem.remedy).toBeTruthy()
    }
    const status = JSON.stringify(await Promise.all(SITES.map((site) => pair.pair.status(site))))
    await change(SOURCE_PASSWORD)
    await expectHealthy()
    const told = `${status}${await pair.log('production')}${await pair.log('dr')}`
    expect(told).not.toContain(SOURCE_PASSWORD)
    expect(told).not.toContain('changed-secret')
    expect(told).not.toContain(pair.pair.relayPassword)
  })

  test('is blocked, and names what is missing, when the source purged it', async () => {
    await pair.pair.kill('production')
    await insert('FLUSH BINARY LOGS')
    await insert('FLUSH BINARY LOGS')
    const sql = await pair.sql()
    // The source keeps what a dead gateway's dump reads until it notices that nobody is there.
    await pair.eventually(async () => {
      const names = await binlogNames(sql)
      await sql.query(`PURGE BINARY LOGS TO '${names.at(-1)}'`)
      return (await binlogNames(sql)).length === 1
    })
    await pair.pair.start('production')
    for (const site of SITES) {
      const problem = await problemAt(site, /^ERR_SOURCE_PURGED$/)
      expect(problem.severity).toBe('blocked')
      expect(problem.message).toMatch(flavor === 'mysql' ? /[0-9a-f-]{36}:\d+-\d+/ : /0-1-\d+/)
      expect(problem.remedy).toBeTruthy()
      const { streams } = (await pair.pair.status(site)) ?? {}
      expect(streams?.[0]?.state).toBe('blocked')
      expect(await exitCodeOfStatus(site)).toBe(3)
    }
  })

  test('goes on when the source is reset: then nothing is missing any more', async () => {
    const sql = await pair.sql()
    await sql.query(flavor === 'mysql' ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER')
    await expectHealthy()
    await insert()
    expect(await pair.compareSpool()).toMatchObject({ identical: true })
  })
})

async function binlogNames(sql: Connection): Promise<string[]> {
  const [rows] = await sql.query('SHOW BINARY LOGS')
  return (rows as { Log_name: string }[]).map((row) => row.Log_name)
}
