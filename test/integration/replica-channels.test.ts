import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import type { GatewayStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair, SOURCE_PASSWORD } from '../helpers/pair/replicated-pair.ts'
import { selected } from '../helpers/source/source-reset.ts'
import { failoverAnswer } from '../helpers/status/failover-answer.ts'

const WORDS = {
  mysql: {
    on: (verb: string, name: string) => `${verb} REPLICA FOR CHANNEL '${name}'`,
    applier: (verb: string) => `${verb} REPLICA SQL_THREAD FOR CHANNEL ''`,
    forget: (name: string) => `RESET REPLICA ALL FOR CHANNEL '${name}'`,
    change: (name: string, options: string) =>
      `CHANGE REPLICATION SOURCE TO ${options} FOR CHANNEL '${name}'`,
    prefix: 'SOURCE',
    more: ', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1',
    status: 'SHOW REPLICA STATUS',
  },
  mariadb: {
    on: (verb: string, name: string) => `${verb} SLAVE '${name}'`,
    applier: (verb: string) => `${verb} SLAVE '' SQL_THREAD`,
    forget: (name: string) => `RESET SLAVE '${name}' ALL`,
    change: (name: string, options: string) => `CHANGE MASTER '${name}' TO ${options}`,
    prefix: 'MASTER',
    more: ', MASTER_USE_GTID=slave_pos',
    status: 'SHOW ALL SLAVES STATUS',
  },
} as const

/** A connection as another source needed it: hardly one of these is good for a relay. */
const BEFORE = {
  mysql: {
    statements: [
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=1, SOURCE_USER='x',
         SOURCE_AUTO_POSITION=0, ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS=LOCAL,
         SOURCE_COMPRESSION_ALGORITHMS='zstd', SOURCE_ZSTD_COMPRESSION_LEVEL=7, SOURCE_DELAY=3600,
         SOURCE_BIND='127.0.0.9', SOURCE_HEARTBEAT_PERIOD=0, SOURCE_CONNECT_RETRY=900,
         SOURCE_RETRY_COUNT=3, SOURCE_SSL_CA='/nowhere/ca.pem', SOURCE_SSL_CERT='/nowhere/c.pem',
         SOURCE_SSL_KEY='/nowhere/k.pem', SOURCE_SSL_CIPHER='AES128-SHA',
         SOURCE_SSL_CRL='/nowhere/crl.pem', SOURCE_TLS_VERSION='TLSv1.2', GET_SOURCE_PUBLIC_KEY=1,
         SOURCE_TLS_CIPHERSUITES='TLS_AES_256_GCM_SHA384', PRIVILEGE_CHECKS_USER='pcu'@'%',
         REQUIRE_ROW_FORMAT=1, REQUIRE_TABLE_PRIMARY_KEY_CHECK=ON FOR CHANNEL ''`,
      `CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=(x), REPLICATE_DO_TABLE=(d.t)
         FOR CHANNEL ''`,
    ],
    filters: 'replicate_ignore_db=x, replicate_do_table=d.t',
    changed: ['SOURCE_SSL_CA', 'PRIVILEGE_CHECKS_USER', 'SOURCE_COMPRESSION_ALGORITHMS'],
  },
  mariadb: {
    statements: [
      `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='x',
         MASTER_USE_GTID=slave_pos, MASTER_DELAY=3600, MASTER_HEARTBEAT_PERIOD=0,
         MASTER_CONNECT_RETRY=900, MASTER_SSL=0,
         MASTER_SSL_CA='/nowhere/ca.pem', MASTER_SSL_CERT='/nowhere/c.pem',
         MASTER_SSL_KEY='/nowhere/k.pem', MASTER_SSL_CIPHER='AES128-SHA',
         MASTER_SSL_CRL='/nowhere/crl.pem', IGNORE_SERVER_IDS=(1), IGNORE_DOMAIN_IDS=(0)`,
      "SET GLOBAL replicate_ignore_db = 'x'",
      'SET GLOBAL slave_compressed_protocol = ON',
    ],
    filters: 'replicate_ignore_db=x, IGNORE_DOMAIN_IDS=0, IGNORE_SERVER_IDS=1',
    changed: ['MASTER_SSL_CA', 'MASTER_HEARTBEAT_PERIOD'],
  },
} as const

describeFlavors('a %s replica of several sources', (flavor) => {
  const words = WORDS[flavor]
  let pair: ReplicatedPair
  let foreign: RunningServer
  let sql: Connection
  let replica: Connection

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor)
    sql = await pair.sql()
    replica = await pair.allowAttach()
    foreign = await pair.servers.start(flavor, { serverId: 7 })
    await pair.admit(foreign)
    const there = await pair.sql(foreign)
    if (flavor === 'mariadb') await there.query('SET SESSION gtid_domain_id = 7')
    await there.query('CREATE DATABASE elsewhere')
    const options =
      `${words.prefix}_HOST='127.0.0.1', ${words.prefix}_PORT=${foreign.port}, ` +
      `${words.prefix}_USER='landbridge', ${words.prefix}_PASSWORD='${SOURCE_PASSWORD}'`
    await replica.query(words.change('oth', options + words.more))
    if (flavor === 'mysql') await sql.query("CREATE USER 'pcu'@'%'")
    await sql.query('CREATE DATABASE d')
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function command(...args: readonly string[]) {
    return await pair.pair.command('dr', 'replica', ...args)
  }

  /** State of the receiver of each connection. */
  async function receivers(): Promise<Record<string, unknown>> {
    const [rows] = await replica.query(words.status)
    const entries = (rows as Record<string, unknown>[]).map((row) => [
      row.Channel_Name ?? row.Connection_name,
      row.Replica_IO_Running ?? row.Slave_IO_Running,
    ])
    return Object.fromEntries(entries)
  }

  async function readiness(wanted: RegExp): Promise<GatewayStatus> {
    return await pair.pair.until('dr', (status) => wanted.test(failoverAnswer(status)))
  }

  test('can take over while another of its connections is stopped', async () => {
    await sql.query('CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT)')
    await pair.synced()
    expect((await readiness(/^yes/)).problems).toEqual([])
    expect(await receivers()).toEqual({ '': 'Yes', oth: 'No' })
  })

  test('is attached though another connection brought transactions of elsewhere', async () => {
    await replica.query(words.on('START', 'oth'))
    await pair.eventually(async () => {
      const [rows] = await replica.query("SHOW DATABASES LIKE 'elsewhere'")
      return (rows as unknown[]).length === 1
    })
    const { exitCode, stdout } = await command('attach')
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('follows this relay already')])
    expect(stdout).not.toContain('error:')
    expect((await pair.pair.command('dr', 'check')).stdout).not.toMatch(/error +.*replica/)
  })

  test('keeps the address by which it reaches the relay', async () => {
    const { exitCode, stdout } = await command('attach', '--relay-host', 'relay.invalid')
    expect([exitCode, stdout]).toEqual([
      0,
      expect.stringContaining(`reaches this relay at 127.0.0.1:${pair.pair.relayPort}\n`),
    ])
    expect(stdout).toContain('follows this relay already')
  })

  test('is not ready while ours is stopped, and only ours is started', async () => {
    await replica.query(words.on('STOP', ''))
    await replica.query(words.on('STOP', 'oth'))
    await readiness(/^no: replica 2 does not apply: stopped/)
    const check = await pair.pair.command('dr', 'check')
    expect([check.exitCode, check.stdout]).toEqual([
      1,
      expect.stringMatching(/error +replica +.*receiver stopped, applier stopped\n.* attach /),
    ])
    expect((await command('status')).exitCode).toBe(1)
    expect((await command('attach')).exitCode).toBe(0)
    expect((await command('status')).exitCode).toBe(0)
    expect(await receivers()).toEqual({ '': 'Yes', oth: 'No' })
    await replica.query(words.applier('STOP'))
    expect((await pair.pair.command('dr', 'check')).stdout).toMatch(/error .*applier stopped/)
    expect((await command('status')).exitCode).toBe(1)
    await replica.query(words.applier('START'))
    await replica.query(words.on('START', 'oth'))
    await readiness(/^yes/)
  })

  test('is detached from us alone', async () => {
    expect((await command('detach')).exitCode).toBe(0)
    expect(Object.keys(await receivers())).toEqual(['oth'])
    await pair.eventually(async () => (await receivers()).oth === 'Yes')
    await readiness(/^no: .*not set up/)
    expect((await command('status')).stdout).toMatch(
      new RegExp(`follows    nothing of this gateway\nbesides    .*:${foreign.port} \\(oth\\)`),
    )
    expect((await command('detach')).stdout).toContain('does not follow this gateway')
    expect(await receivers()).toEqual({ oth: 'Yes' })
  })

  test('may follow us under a name of its own, which every command finds', async () => {
    expect((await command('attach', '--channel', 'lb')).stdout).toMatch(/the replica follows this/)
    await readiness(/^yes/)
    expect(await receivers()).toEqual({ lb: 'Yes', oth: 'Yes' })
    expect((await command('status')).stdout).toMatch(/follows {4}replica@127.*\(lb\) by GTID/)
    expect((await command('attach')).stdout).toContain('follows this relay already')
    await replica.query(words.on('STOP', 'lb'))
    await readiness(/^no/)
    expect((await command('attach')).stdout).toContain("'lb'")
    await readiness(/^yes/)
    expect((await command('detach')).exitCode).toBe(0)
    expect(await receivers()).toEqual({ oth: 'Yes' })
  })

  test('is taken from another source only when asked to, and keeps the others', async () => {
    for (const statement of BEFORE[flavor].statements) await replica.query(statement)
    const planned = await command('attach', '--dry-run')
    expect(planned.stdout).toMatch(/error: the replica follows 127\.0\.0\.1:1\n/)
    expect(planned.exitCode).toBe(1)
    const json = await command('attach', '--dry-run', '--json')
    expect([json.exitCode, JSON.parse(json.stdout).ok]).toEqual([1, false])
    expect((await command('attach', '--clear-filters')).exitCode).toBe(1)
    const filtered = await command('attach', '--replace', '--dry-run')
    expect([filtered.exitCode, filtered.stdout]).toEqual([
      1,
      expect.stringContaining(`cannot take over: ${BEFORE[flavor].filters}\n`),
    ])
    expect((await command('attach', '--replace')).exitCode).toBe(1)
  })

  if (flavor === 'mysql') {
    test('is refused while it insists on compression', async () => {
      await replica.query('SET GLOBAL replica_compressed_protocol = ON')
      const { exitCode, stdout } = await command('attach', '--replace', '--dry-run')
      expect([exitCode, stdout]).toEqual([
        1,
        expect.stringContaining('replica_compressed_protocol'),
      ])
      await replica.query('SET GLOBAL replica_compressed_protocol = OFF')
    })
  }

  test('then is told everything anew, with a word on each thing that was otherwise', async () => {
    const { exitCode, stdout } = await command('attach', '--replace', '--clear-filters')
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('follows this relay\n')])
    expect(await receivers()).toEqual({ '': 'Yes', oth: 'Yes' })
    for (const option of BEFORE[flavor].changed) expect(stdout).toContain(`${option} was `)
    expect(stdout).toContain(`${words.prefix}_DELAY was 3600, now 0\n`)
    expect(stdout).toContain('applied 3600 seconds late on purpose: that ends')
    expect(stdout).toContain(`data until now: ${BEFORE[flavor].filters}\n`)
    // Nothing is left of what was: the same again finds nothing to say.
    await replica.query(words.on('STOP', ''))
    const again = JSON.parse((await command('attach', '--dry-run', '--json')).stdout)
    expect(again).toMatchObject({ action: 'attach', changes: [], ok: true })
    await replica.query(words.on('START', ''))
    await readiness(/^yes/)
  })

  test('is told a changed password, once the gateway has it too', async () => {
    await writeFile(join(pair.pair.directory, 'relay.password'), 'another-secret')
    // The gateway does what it was started with; what is read here is what it will be.
    expect((await command('attach', '--dry-run')).exitCode).toBe(0)
    const planned = await command('attach', '--dry-run', '--show-password')
    expect([planned.exitCode, planned.stdout]).toEqual([
      1,
      expect.stringMatching(/relay does not answer: .*\n.*restart the gateway/),
    ])
    await pair.restartGateway('dr')
    await pair.pair.until('dr', ({ problems }) => {
      return problems.some(({ message }) => message.includes('Access denied'))
    })
    const { exitCode, stdout } = await command('attach')
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("_PASSWORD='********'")])
    expect(await receivers()).toEqual({ '': 'Yes', oth: 'Yes' })
    await readiness(/^yes/)
  })

  test('says a delay of ours, and counts it', async () => {
    await replica.query(words.on('STOP', ''))
    await replica.query(words.change('', `${words.prefix}_DELAY=3600`))
    await replica.query(words.on('START', ''))
    await sql.query('INSERT INTO d.t VALUES ()')
    await pair.synced()
    const status = await readiness(/^once .* it applies 1 hour late on purpose$/)
    expect(status.streams[0]?.replicas[0]).toMatchObject({ delaySeconds: 3600 })
    await pair.pair.until('dr', ({ streams }) => {
      return Number(streams[0]?.replicas[0]?.remainingDelaySeconds) > 3000
    })
    expect((await command('status')).stdout).toContain('applies 3600 s late on purpose')
    expect((await command('attach', '--dry-run')).stdout).toContain('3600 seconds late')
    expect(await selected(replica, 'COUNT(*) FROM d.t')).toBe('0')
    const kept = await command('attach', '--replace')
    expect([kept.exitCode, kept.stdout]).toEqual([0, expect.stringContaining('follows this')])
    const ended = await command('attach', '--delay', '0')
    expect([ended.exitCode, ended.stdout]).toEqual([
      0,
      expect.stringContaining(`${words.prefix}_DELAY was 3600, now 0\n`),
    ])
    await readiness(/^yes/)
    expect(await selected(replica, 'COUNT(*) FROM d.t')).toBe('1')
  })
})
