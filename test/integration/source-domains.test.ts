import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

/** MySQL has no domains. */
let pair: ReplicatedPair

beforeAll(async () => {
  pair = await ReplicatedPair.create('mariadb')
})
beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
afterAll(() => pair?.stop())

async function purgeToNewest(): Promise<void> {
  const sql = await pair.sql()
  await sql.query('FLUSH BINARY LOGS')
  const [rows] = await sql.query('SHOW BINARY LOGS')
  const newest = (rows as { Log_name: string }[]).at(-1)?.Log_name
  // A file stays for as long as a crash now would still need it.
  await pair.eventually(async () => {
    await sql.query(`PURGE BINARY LOGS TO '${newest}'`)
    return ((await sql.query('SHOW BINARY LOGS'))[0] as unknown[]).length === 1
  })
}

test('a source that deletes a domain from its state is followed on', needs('mariadb'), async () => {
  const sql = await pair.sql()
  await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
  await sql.query('SET gtid_domain_id = 7; INSERT INTO d.t VALUES (), ()')
  await sql.query('SET gtid_domain_id = 0; INSERT INTO d.t VALUES (), ()')
  await pair.synced()
  await purgeToNewest()
  await sql.query('FLUSH BINARY LOGS DELETE_DOMAIN_ID = (7)')
  await sql.query('INSERT INTO d.t VALUES ()')
  for (const site of ['production', 'dr'] as const) {
    await pair.restartGateway(site)
    await sql.query('INSERT INTO d.t VALUES ()')
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  }
  expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
})
