import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { replicaKey } from '../../src/mysql/replica-name.ts'
import type { GatewayStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { selected } from '../helpers/source/source-reset.ts'
import { failoverAnswer } from '../helpers/status/failover-answer.ts'

/** How a setting is made, how it is taken back, and what it is called. */
type Setting = readonly [set: string, unset: string, name: string]

const OTHER = {
  mysql: [
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1 FOR CHANNEL 'oth'",
    "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=(elsewhere) FOR CHANNEL 'oth'",
  ],
  mariadb: [
    "CHANGE MASTER 'oth' TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, IGNORE_DOMAIN_IDS=(9)",
    "SET GLOBAL oth.replicate_ignore_db = 'elsewhere'",
  ],
}

function filter(rule: string, where: string): readonly [string, string] {
  const change = (value: string) => `CHANGE REPLICATION FILTER ${rule} = (${value})${where}`
  return [change(rule === 'REPLICATE_REWRITE_DB' ? '(a, b)' : 'd.s'), change('')]
}

const mysqlSettings: readonly Setting[] = [
  [...filter('REPLICATE_IGNORE_TABLE', " FOR CHANNEL ''"), 'replicate_ignore_table=d.s'],
  [...filter('REPLICATE_REWRITE_DB', ''), 'replicate_rewrite_db=(a,b)'],
  [
    "SET GLOBAL replica_exec_mode = 'IDEMPOTENT'",
    "SET GLOBAL replica_exec_mode = 'STRICT'",
    'replica_exec_mode=IDEMPOTENT',
  ],
]

const mariadbSettings: readonly Setting[] = [
  [
    'CHANGE MASTER TO IGNORE_DOMAIN_IDS = (7, 8)',
    'CHANGE MASTER TO IGNORE_DOMAIN_IDS = ()',
    'IGNORE_DOMAIN_IDS=7, 8',
  ],
  [
    'CHANGE MASTER TO DO_DOMAIN_IDS = (0)',
    'CHANGE MASTER TO DO_DOMAIN_IDS = ()',
    'DO_DOMAIN_IDS=0',
  ],
  [
    'CHANGE MASTER TO IGNORE_SERVER_IDS = (5)',
    'CHANGE MASTER TO IGNORE_SERVER_IDS = ()',
    'IGNORE_SERVER_IDS=5',
  ],
  [
    "SET GLOBAL replicate_wild_ignore_table = 'd.s%'",
    "SET GLOBAL replicate_wild_ignore_table = ''",
    'replicate_wild_ignore_table=d.s%',
  ],
  [
    'SET GLOBAL slave_exec_mode = IDEMPOTENT',
    'SET GLOBAL slave_exec_mode = STRICT',
    'slave_exec_mode=IDEMPOTENT',
  ],
  [
    'SET GLOBAL replicate_events_marked_for_skip = FILTER_ON_SLAVE',
    'SET GLOBAL replicate_events_marked_for_skip = REPLICATE',
    'replicate_events_marked_for_skip=FILTER_ON_SLAVE',
  ],
]

const SETTINGS = { mysql: mysqlSettings, mariadb: mariadbSettings }

describeFlavors('a %s replica that leaves out data', (flavor) => {
  const noun = flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
  let pair: ReplicatedPair
  let sql: Connection
  let replica: Connection

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor)
    sql = await pair.sql()
    replica = await pair.allowAttach()
    await sql.query('CREATE DATABASE d')
    await sql.query('CREATE TABLE d.s (id INT PRIMARY KEY)')
    await readiness(/^yes/)
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function readiness(wanted: RegExp): Promise<GatewayStatus> {
    return await pair.pair.until('dr', (status) => wanted.test(failoverAnswer(status)))
  }

  async function change(statement: string): Promise<void> {
    const one = flavor === 'mysql' ? " FOR CHANNEL ''" : ''
    await replica.query(`STOP ${noun}${one}`)
    await replica.query(statement)
    await replica.query(`START ${noun}${one}`)
  }

  /** What a person says who has restored it: here nothing was missing. */
  async function madeAnew(): Promise<void> {
    const serverUuid = flavor === 'mysql' ? await selected(replica, '@@server_uuid') : null
    const key = replicaKey({ serverId: 2, serverUuid })
    expect((await pair.pair.command('dr', 'replica', 'detach', key)).exitCode).toBe(0)
  }

  async function attach(...flags: readonly string[]) {
    return await pair.pair.command('dr', 'replica', 'attach', ...flags)
  }

  test('for another source is none of our business', async () => {
    for (const statement of OTHER[flavor]) await replica.query(statement)
    await sql.query('INSERT INTO d.s VALUES (1)')
    await pair.synced()
    const { streams } = await readiness(/^yes/)
    expect(streams[0]?.replicas[0]?.filters).toEqual([])
    expect((await attach('--dry-run')).stdout).not.toContain('leaves out')
  })

  test.each(SETTINGS[flavor])('by %s cannot take over, and everybody says so', async (...how) => {
    const [set, unset, name] = how
    await change(set)
    await sql.query('INSERT INTO d.s SELECT COALESCE(MAX(id), 0) + 1 FROM d.s')
    await pair.synced()
    const { problems, streams } = await readiness(/^no: replica 2 leaves out data/)
    expect(streams[0]?.replicas[0]?.filters).toEqual([name])
    expect(problems).toContainEqual(
      expect.objectContaining({
        code: 'ERR_REPLICA_FILTERED',
        severity: 'error',
        message: expect.stringContaining(name),
      }),
    )
    await change(unset)
    const after = await readiness(/^no: replica 2 left out data while it had/)
    expect(after.problems.map(({ code }) => code)).toEqual(['ERR_REPLICA_FILTERED'])
    await madeAnew()
    await readiness(/^yes/)
  })

  test('is refused by attach and named by check, before the first row is missing', async () => {
    const [[set, , name] = ['', '', '']] = SETTINGS[flavor]
    await change(set)
    const planned = await attach('--dry-run')
    expect([planned.exitCode, planned.stdout]).toEqual([1, expect.stringContaining(name)])
    expect((await attach()).exitCode).toBe(1)
    const check = await pair.pair.command('dr', 'check')
    expect([check.exitCode, check.stdout]).toEqual([1, expect.stringContaining(name)])
    const accepted = await attach('--accept-filters')
    expect([accepted.exitCode, accepted.stdout]).toEqual([
      0,
      expect.stringContaining(
        `warning: the replica leaves out data, and cannot take over: ${name}`,
      ),
    ])
  })

  test('lacks the rows, though it has applied all that is held', async () => {
    await change(SETTINGS[flavor][0]?.[1] ?? '')
    const ignore =
      flavor === 'mysql'
        ? 'CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (d.s)'
        : "SET GLOBAL replicate_ignore_table = 'd.s'"
    await change(ignore)
    await sql.query('INSERT INTO d.s VALUES (1000)')
    await pair.synced()
    await readiness(/^no: replica 2 leaves out data: replicate_ignore_table=d\.s/)
    const { streams } = await pair.pair.until('dr', ({ streams: [stream] }) => {
      return stream?.replicas[0]?.applyLag?.transactions === 0
    })
    expect(await selected(replica, 'MAX(id) FROM d.s')).not.toBe('1000')
    expect(streams[0]?.replicas[0]?.filters).toEqual(['replicate_ignore_table=d.s'])
  })

  test.runIf(flavor === 'mariadb')(
    'by a skip counter is known after the counter is used up',
    async () => {
      await change("SET GLOBAL replicate_ignore_table = ''")
      await madeAnew()
      await readiness(/^yes/)
      await replica.query('STOP SLAVE')
      await sql.query('INSERT INTO d.s VALUES (2000)')
      await pair.synced()
      await replica.query('SET GLOBAL sql_slave_skip_counter = 1')
      await pair.pair.until('dr', ({ streams }) => {
        return streams[0]?.replicas[0]?.filters?.[0] === 'sql_slave_skip_counter=1'
      })
      await replica.query('START SLAVE')
      const { streams } = await readiness(
        /^no: replica 2 left out data while it had sql_slave_skip/,
      )
      expect(streams[0]?.replicas[0]).toMatchObject({ filters: [], applyLag: { transactions: 0 } })
      expect(await selected(replica, 'MAX(id) FROM d.s')).not.toBe('2000')
      await change("SET GLOBAL replicate_ignore_table = 'd.s'")
    },
  )

  test('is remembered over a restart of the gateway', async () => {
    const before = await readiness(/^no: replica 2 le/)
    await pair.restartGateway('dr')
    const after = await readiness(/^no: replica 2 le/)
    const leftOut = ({ streams }: GatewayStatus) => streams[0]?.replicas[0]?.leftOut
    expect(leftOut(before)).toBeTruthy()
    expect(leftOut(after)).toBe(leftOut(before))
  })

  test('would do so from the first row on when it is attached anew', async () => {
    expect((await pair.pair.command('dr', 'replica', 'detach')).exitCode).toBe(0)
    const planned = await attach('--dry-run')
    expect([planned.exitCode, planned.stdout]).toEqual([
      1,
      expect.stringContaining('error: the replica leaves out data'),
    ])
  })
})
