import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { linkOf } from '../helpers/status/link-of.ts'

/** As long as the server takes it by this path: it makes longer names of it, or loses itself. */
const BASE_BYTES = { mysql: 235, mariadb: 242 } as const
const STRANGE = "-bin log+журнал 日本's 100%\\"

/** In the folder that `--log-bin` has by default here, seen from that of the data. */
const logBin = (base: string): string[] => [`--log-bin=../binlog/${base}`]

describeFlavors('a %s source whose binlog files have strange names', (flavor) => {
  const base = STRANGE + 'x'.repeat(BASE_BYTES[flavor] - Buffer.byteLength(STRANGE))
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { source: { arguments: logBin(base) } })
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  test('is followed under these names, over restarts of everything', async () => {
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
    await sql.query('INSERT INTO d.t VALUES (); FLUSH BINARY LOGS; INSERT INTO d.t VALUES ()')
    await pair.synced()
    for (const site of ['production', 'dr'] as const) {
      await pair.restartGateway(site)
      await sql.query('INSERT INTO d.t VALUES ()')
    }
    await pair.restart('source', 'SIGTERM')
    const again = await pair.sql()
    await again.query('INSERT INTO d.t VALUES (); FLUSH BINARY LOGS; INSERT INTO d.t VALUES ()')
    await pair.synced()
    const status = await pair.pair.until('dr', (one) => one.state === 'ok')
    const { streams } = status
    const link = linkOf(status)
    expect(streams[0]?.spool?.oldestFile).toBe(`${base}.000001`)
    expect(link.sessions).toBeLessThanOrEqual(2)
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('blocks its stream alone by a name that cannot be read, and says which', async () => {
    const before = linkOf(await pair.pair.until('dr', () => true)).sessions
    await pair.restart('source', 'SIGTERM', { arguments: logBin('new\nline') })
    for (const site of ['production', 'dr'] as const) {
      const { problems } = await pair.pair.until(site, ({ state }) => state === 'blocked')
      const named = problems.find(({ code }) => code === 'ERR_BINLOG_NAME')
      expect(named).toMatchObject({ severity: 'blocked', where: 'source:main' })
      expect(named?.message).toMatch(/cannot be stored: (new|line)/)
    }
    expect(linkOf(await pair.pair.until('dr', () => true))).toMatchObject({
      state: 'up',
      sessions: before,
    })
  })
})
