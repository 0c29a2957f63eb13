import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { Problem } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { installBlackhole } from '../helpers/servers/blackhole.ts'

const GIB = 1024 ** 3
const CODE = 'ERR_SOURCE_DUMP'
const SITES = ['production', 'dr'] as const
/** One comes ten seconds after the other. */
const RETRIES = 4
/** Between two clocks, of which one is measured by the other. */
const CLOCKS_MS = 1_000

/**
 * Both servers log a row that fills max_allowed_packet, in an event that is longer than that, and
 * then refuse with error 1236 each dump that comes to it: they take it, and end it in the middle.
 */
describeFlavors('a %s source with an event above 1 GiB', (flavor) => {
  let pair: ReplicatedPair
  let sql: Connection

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, {
      attach: false,
      source: { arguments: [`--max-allowed-packet=${GIB}`], maxBinlogBytes: GIB },
    })
    await installBlackhole(pair, pair.source)
    sql = await pair.sql()
    // The source logs the row and does not keep it.
    await atSource('CREATE DATABASE d; CREATE TABLE d.t (v LONGTEXT) ENGINE = BLACKHOLE')
    await atSource('CREATE TABLE d.small (id INT PRIMARY KEY)')
    await pair.synced()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function atSource(statements: string): Promise<RowDataPacket[]> {
    const [rows] = await sql.query<RowDataPacket[]>(statements)
    return rows
  }

  const refused = (problems: readonly Problem[]) => problems.filter(({ code }) => code === CODE)

  /** The gateway asks for them at each look, and once in ten seconds beside that. */
  async function filesAsked(): Promise<number> {
    const [row] = await atSource("SHOW GLOBAL STATUS LIKE 'Com_show_binlogs'")
    return Number(row?.Value)
  }

  test('is one problem with one beginning, and one line of the log', async () => {
    await atSource('INSERT INTO d.small VALUES (1)')
    await atSource("INSERT INTO d.t SELECT REPEAT('a', @@GLOBAL.max_allowed_packet)")
    await atSource('INSERT INTO d.small VALUES (2)')
    const began = { production: 0, dr: 0 }
    for (const site of SITES) {
      const { problems, state } = await pair.pair.until(
        site,
        (status) => refused(status.problems).length > 0,
        { limitMs: 600_000 },
      )
      const [problem] = refused(problems)
      expect(state).toBe('blocked')
      expect(problem).toMatchObject({
        severity: 'blocked',
        where: 'source:main',
        message: expect.stringContaining('log event entry exceeded max_allowed_packet'),
        remedy: expect.stringMatching(/no replica can get past it: FLUSH .* PURGE .* new spool/),
      })
      began[site] = problem?.sinceMs ?? 0
    }
    const first = await filesAsked()
    while ((await filesAsked()) < first + 2 * RETRIES) {
      for (const site of SITES) {
        const { problems, streams } = await pair.pair.until(site, () => true)
        expect(streams[0]?.state).toBe('blocked')
        const [problem, ...others] = refused(problems)
        expect(others).toEqual([])
        const since = Number(problem?.sinceMs)
        if (site === 'production') expect(since).toBe(began.production)
        else expect(Math.abs(since - began.dr)).toBeLessThan(CLOCKS_MS)
      }
      await sleep(100)
    }
    const lines = (await pair.log('production')).split('\n')
    expect(lines.filter((line) => line.includes(`"code":"${CODE}"`))).toHaveLength(1)
  })

  test('is got past by the remedy', async () => {
    await atSource('FLUSH BINARY LOGS')
    const newest = (await atSource('SHOW BINARY LOGS')).at(-1)?.Log_name
    await atSource(`PURGE BINARY LOGS TO '${newest}'`)
    await pair.pair.kill('dr', 'SIGTERM')
    await pair.pair.renewSpool()
    await pair.pair.start('dr')
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    await atSource('INSERT INTO d.small VALUES (3)')
    await pair.synced()
    for (const site of SITES) {
      const { problems } = await pair.pair.until(site, () => true)
      expect(refused(problems)).toEqual([])
    }
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  })
})
