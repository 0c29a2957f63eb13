import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { replicaKey } from '../../src/mysql/replica-name.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { copyData, resetSource, selected } from '../helpers/source/source-reset.ts'

const AGE_MS = 1_000

describeFlavors('after a reset of a %s source', (flavor) => {
  const noun = flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
  let pair: ReplicatedPair
  let sql: Connection
  let replica: Connection
  let key: string

  beforeAll(async () => {
    const spool = { retention: { replicaAge: `${AGE_MS}ms` } }
    pair = await ReplicatedPair.create(flavor, { gateways: { spool } })
    if (pair.replica === null) throw new Error('no replica')
    sql = await pair.sql()
    replica = await pair.sql(pair.replica)
    const serverUuid = flavor === 'mysql' ? await selected(replica, '@@server_uuid') : null
    key = replicaKey({ serverId: 2, serverUuid })
    await sql.query('CREATE DATABASE d')
    await sql.query('CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v REAL)')
    await write(30)
    await pair.synced()
    expect(await pair.compareTables()).toMatchObject({ equal: true })
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function write(rows: number): Promise<void> {
    for (let row = 0; row < rows; row += 1) await sql.query('INSERT INTO d.t (v) VALUES (RAND())')
  }

  async function refusal(): Promise<string> {
    const errno = flavor === 'mysql' ? 13_114 : 1236
    let status: Record<string, unknown> = {}
    await pair.eventually(async () => {
      const [rows] = await replica.query(`SHOW ${noun} STATUS`)
      status = (rows as Record<string, unknown>[])[0] ?? {}
      return Number(status.Last_IO_Errno) === errno
    })
    return String(status.Last_IO_Error)
  }

  const memoryPath = () => join(pair.pair.spoolDirectory, 'replicas.json')
  const claims = async () => (await pair.pair.status('dr'))?.streams[0]?.spool?.claims
  const command = async (...words: readonly string[]) => {
    return await pair.pair.command('dr', 'replica', ...words)
  }

  test('a replica that was away too long before it is refused, though its GTIDs fit', async () => {
    await replica.query(`STOP ${noun}`)
    await sleep(2 * AGE_MS)
    await pair.restartGateway('dr', 'SIGTERM')
    await pair.eventually(async () => (await claims())?.length === 0)
    await resetSource(pair, sql)
    await pair.pair.until('dr', ({ streams }) => streams[0]?.spool?.synced?.epoch === 2)
    await write(60)
    await pair.synced()
    await replica.query(`START ${noun}`)
    expect(await refusal()).toMatch(/source was reset .* stand for other transactions/)
    const { problems } = await pair.pair.until('dr', ({ state }) => state === 'blocked')
    expect(problems.map(({ code }) => code)).toContain('ERR_REPLICA_OUTDATED')
  })

  test('so it is when the record of who was served is damaged, and a person is told', async () => {
    await replica.query(`STOP ${noun}`)
    await pair.pair.kill('dr', 'SIGTERM')
    await writeFile(memoryPath(), '{"format":3,')
    await pair.pair.start('dr')
    await pair.synced()
    await replica.query(`START ${noun}`)
    expect(await refusal()).toMatch(/data of before is not known.* replica detach/)
    const { problems } = await pair.pair.until('dr', ({ state }) => state === 'blocked')
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ code: 'ERR_SPOOL_REPLICAS', severity: 'warning' }),
        expect.objectContaining({ code: 'ERR_REPLICA_UNPROVEN', severity: 'blocked' }),
      ]),
    )
    expect(await readFile(`${memoryPath()}.damaged`, 'utf8')).toBe('{"format":3,')
    expect((await command('attach', '--dry-run')).stdout).toMatch(
      /error: the source was reset .* is not known.*\n.*replica detach/,
    )
  })

  test('it is served once a person has made it anew and said so', async () => {
    await copyData(pair, sql, replica, 'd.t')
    expect((await command('detach', key)).stdout).toMatch(/forgot replica/)
    if (pair.replica !== null) await pair.attach(pair.replica)
    await write(20)
    expect(await pair.compareTables()).toMatchObject({ equal: true })
    await rm(`${memoryPath()}.damaged`)
    await pair.restartGateway('dr', 'SIGTERM')
    await pair.pair.until('dr', ({ problems, streams }) => {
      const lag = streams[0]?.replicas[0]?.applyLag
      return problems.length === 0 && lag?.transactions === 0
    })
  })

  test('one that was detached before the next reset is refused after it', async () => {
    await replica.query(`STOP ${noun}`)
    await command('detach', key)
    await resetSource(pair, sql)
    await pair.pair.until('dr', ({ streams }) => streams[0]?.spool?.synced?.epoch === 3)
    await write(200)
    await pair.synced()
    await replica.query(`START ${noun}`)
    expect(await refusal()).toMatch(/source was reset .* stand for other transactions/)
  })
})
