import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { describeFlavors } from '../helpers/needs.ts'
import { processBytes, ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const TABLES = 10_000
const SESSIONS = 4
const LIMIT_SECONDS = 1_200
const MEMORY_BYTES_MAX = 200e6
const NAMES = Array.from({ length: TABLES }, (_, at) => `many.t${String(at).padStart(5, '0')}`)

/** Created and written in one run: as many table maps, and as many definitions. */
describeFlavors('10,000 tables of %s', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    const tables = { arguments: ['--innodb-file-per-table=OFF', '--table-definition-cache=12000'] }
    pair = await ReplicatedPair.create(flavor, { source: tables, replica: tables })
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function fill(names: readonly string[]): Promise<void> {
    const sql = await pair.sql()
    for (const name of names) {
      await sql.query(
        `CREATE TABLE ${name} (id INT PRIMARY KEY, v INT); INSERT INTO ${name} VALUES (1, 1)`,
      )
    }
    sql.destroy()
  }

  test('are created and written, and nothing is left behind', async () => {
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE many')
    await Promise.all(
      Array.from({ length: SESSIONS }, (_, at) =>
        fill(NAMES.filter((_name, index) => index % SESSIONS === at)),
      ),
    )
    for (let at = 0; at < TABLES; at += 1_000) {
      const updates = NAMES.slice(at, at + 1_000).map((name) => `UPDATE ${name} SET v = v + 1`)
      await sql.query(['BEGIN', ...updates, 'COMMIT'].join(';'))
    }
    await pair.synced()
    expect(await pair.compareSpool(LIMIT_SECONDS)).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables(LIMIT_SECONDS)).toMatchObject({
      equal: true,
      tables: TABLES,
      rows: TABLES,
      failures: [],
    })
  })

  test('leave lag at nothing and both gateways below 200 MB', async () => {
    await pair.pair.until('dr', ({ streams: [stream] }) => {
      const isCaughtUp = stream?.replicas[0]?.state === 'caught-up'
      return isCaughtUp && stream?.receiveLag?.bytes === 0 && stream.receiveLag.ms === 0
    })
    for (const site of ['production', 'dr'] as const) {
      const bytes = await processBytes(pair.pair.pid(site), 'VmHWM')
      console.log(`${flavor} ${site}: at most ${(bytes / 1e6).toFixed(0)} MB resident`)
      expect(bytes).toBeLessThan(MEMORY_BYTES_MAX)
    }
  })
})
