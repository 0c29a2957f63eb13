import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { parseDocument } from 'yaml'
import { describeFlavors } from '../helpers/needs.ts'
import type { LoopbackPair } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair, SOURCE_PASSWORD } from '../helpers/pair/replicated-pair.ts'

/** Logins that a server takes only in part, or not at all. */
describeFlavors('a %s source that turns logins away', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { attach: false })
    await pair.held()
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function atSource(statement: string): Promise<Record<string, string>[]> {
    const sql = await pair.sql()
    const [rows] = await sql.query(`SET sql_log_bin = 0; ${statement}`)
    sql.destroy()
    return (rows as Record<string, string>[][])[1] ?? []
  }

  async function limit(connections: number): Promise<void> {
    const account = "landbridge@'127.0.0.1'"
    await atSource(`ALTER USER ${account} WITH MAX_USER_CONNECTIONS ${connections}`)
  }

  async function status(site: 'production' | 'dr', code: string, isThere: boolean) {
    return await pair.pair.until(site, ({ problems }) => {
      return problems.some((one) => one.code === code) === isThere
    })
  }

  test('lets the dump in first where it takes only one, and says what is missing', async () => {
    await limit(1)
    await pair.restartGateway('production')
    // Until the source has noticed that the old gateway is gone, the dump has no connection either.
    const { problems } = await pair.pair.until('production', ({ streams, problems: found }) => {
      const isMissing = found.some(({ code }) => code === 'ERR_SOURCE_CONNECTIONS')
      return isMissing && streams[0]?.state === 'streaming'
    })
    const missing = problems.find(({ code }) => code === 'ERR_SOURCE_CONNECTIONS')
    expect(missing).toMatchObject({
      severity: 'error',
      where: 'source:main',
      message: expect.stringContaining('gives the login no second connection beside the dump'),
      remedy: expect.stringContaining('MAX_USER_CONNECTIONS'),
    })
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT)')
    await pair.synced()
    // Another session has to take the place of this one's dump.
    await pair.restartGateway('dr')
    await sql.query('INSERT INTO d.t VALUES (1)')
    await pair.synced()
    await limit(0)
    await status('production', 'ERR_SOURCE_CONNECTIONS', false)
    await pair.pair.until('dr', ({ streams: all }) => all[0]?.receiveLag?.ms === 0)
  })

  test('is asked ever more rarely while its certificate is not trusted', async () => {
    await setSource(pair.pair, { mode: 'verify-ca', ca: '../certs/ca.crt' })
    await pair.restartGateway('production')
    await status('production', 'ERR_SQL_TLS', true)
    // Each part by itself waits long as well: what they share shows late.
    const attempts = await attemptsWithin(16_000)
    await setSource(pair.pair, { mode: 'off' })
    await pair.restartGateway('production')
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'streaming')
    expect(attempts).toBeLessThanOrEqual(5)
  })

  test('is asked ever more rarely while it refuses the login, and lets in by itself', async () => {
    const account = "landbridge@'127.0.0.1'"
    await atSource(`ALTER USER ${account} IDENTIFIED BY 'another'`)
    await pair.restartGateway('production')
    await status('production', 'ERR_SOURCE_LOGIN', true)
    const attempts = await attemptsWithin(8_000)
    await atSource(`ALTER USER ${account} IDENTIFIED BY '${SOURCE_PASSWORD}'`)
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'streaming')
    await status('production', 'ERR_SOURCE_LOGIN', false)
    expect(attempts).toBeLessThanOrEqual(4)
  })

  /** Connections that ended before a login, as the server counts them. */
  async function attemptsWithin(ms: number): Promise<number> {
    const count = async (): Promise<number> => {
      const [row] = await atSource("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
      return Number(row?.Value)
    }
    const before = await count()
    await sleep(ms)
    return (await count()) - before
  }
})

/** As an operator would: the TLS of the source, read at start. */
async function setSource(pair: LoopbackPair, tls: object): Promise<void> {
  const path = pair.configPath('production')
  const config = parseDocument(await readFile(path, 'utf8'))
  config.setIn(['streams', 0, 'database', 'tls'], tls)
  await writeFile(path, config.toString())
}
