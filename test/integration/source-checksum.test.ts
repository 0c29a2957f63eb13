import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const SITES = ['production', 'dr'] as const
const CHECKSUMS = ['NONE', 'CRC32', 'NONE'] as const

/** Both flavours change it at run time, with a new file. */
describeFlavors('a %s source that changes binlog_checksum', (flavor) => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor)
    await write('CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v TEXT)')
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function write(...statements: readonly string[]): Promise<void> {
    const sql = await pair.sql()
    for (const statement of statements) await sql.query(statement)
    sql.destroy()
  }

  const change = (checksum: string) => `SET GLOBAL binlog_checksum = ${checksum}`
  const insert = (text: string) => `INSERT INTO d.t (v) VALUES ('${text}'), (REPEAT('v', 9000))`

  async function expectAllEqual(): Promise<void> {
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    await pair.readWithTool(...(await pair.spoolFiles()))
  }

  test('is followed while it streams', async () => {
    for (const checksum of CHECKSUMS) {
      await write(insert('before'), change(checksum), insert(checksum))
      await pair.synced()
    }
    await expectAllEqual()
  })

  test.each(CHECKSUMS)(
    'is resumed inside a file with %s, after every gateway was killed',
    async (checksum) => {
      await write(change(checksum))
      for (const sites of [['production'], ['dr'], SITES] as const) {
        await write(insert('before'))
        await pair.synced()
        await Promise.all(sites.map((site) => pair.pair.kill(site)))
        await write(insert('away'))
        for (const site of sites) await pair.pair.start(site)
        await pair.synced()
      }
      await expectAllEqual()
    },
  )

  test.each(SITES)('is followed when it changes while the %s gateway is away', async (site) => {
    for (const checksum of CHECKSUMS) {
      await write(insert('before'))
      await pair.synced()
      await pair.pair.kill(site)
      await write(insert('of the old kind'), change(checksum), insert('of the new kind'))
      await pair.pair.start(site)
      await pair.synced()
    }
    await expectAllEqual()
  })

  test('feeds a replica that reads over files of both kinds from the beginning', async () => {
    const second = await pair.servers.start(flavor, { serverId: 3 })
    await pair.attach(second)
    expect(await pair.compareTables(60, second)).toMatchObject({ equal: true, failures: [] })
    await pair.control(second, 'STOP')
    await write(insert('before'), change('CRC32'), insert('a'), change('NONE'), insert('b'))
    await pair.synced()
    await pair.control(second, 'START')
    expect(await pair.compareTables(60, second)).toMatchObject({ equal: true, failures: [] })
  })

  test('goes on when the source comes back with its own setting', async () => {
    await write(change('NONE'), insert('none'))
    await pair.restart('source', 'SIGKILL')
    await write(insert('sums'), change('NONE'), insert('none'))
    await pair.restart('source', 'SIGTERM')
    await write(insert('sums'))
    await pair.synced()
    await expectAllEqual()
  })
})
