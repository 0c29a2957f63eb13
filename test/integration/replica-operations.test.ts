import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { callOperation, fetchOperations } from '../../src/api/admin-client.ts'
import type { JournalEntry } from '../../src/api/journal-entry.ts'
import { codeOf, describeError } from '../../src/base/errors.ts'
import { Secret } from '../../src/base/secret.ts'
import { SqlLogin } from '../../src/mysql/sql-login.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { RELAY_PASSWORD } from '../helpers/pair/loopback-gateways.ts'
import type { LoopbackPair, Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair, SOURCE_PASSWORD } from '../helpers/pair/replicated-pair.ts'

const LANDBRIDGE = fileURLToPath(new URL('../../src/cli/landbridge.mjs', import.meta.url))
/** The relay has no IPv6: a replica that is sent to it goes on trying. */
const NOBODY = ['--relay-host', '::1', '--replace', '--wait-seconds', '60']

/**
 * The gateway of production may do at the other one what can be changed back, and the relay
 * listens everywhere, as in the example.
 */
async function prepare({ directory, relayPort }: LoopbackPair): Promise<void> {
  for (const [path, before, after] of [
    ['peers/ec2.yaml', 'permission: read', 'permission: operate'],
    ['gateway/azure.yaml', `127.0.0.1:${relayPort}`, `0.0.0.0:${relayPort}`],
  ] as const) {
    const file = await readFile(join(directory, path), 'utf8')
    if (!file.includes(before)) throw new Error(`${path} has no ${before}`)
    await writeFile(join(directory, path), file.replace(before, after))
  }
}

describeFlavors('the replica of a %s copy', (flavor) => {
  let pair: ReplicatedPair
  let replica: Connection

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { prepare })
    replica = await pair.allowAttach()
    const sql = await pair.sql()
    await sql.query('CREATE DATABASE d')
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  async function command(site: Site, ...words: readonly string[]) {
    const { exitCode, stdout } = await pair.pair.command(site, 'replica', ...words, '--json')
    return { exitCode, answer: JSON.parse(stdout) }
  }

  async function journal(site: Site = 'dr'): Promise<readonly JournalEntry[]> {
    const { signal } = new AbortController()
    const operation = { name: 'journal', permission: 'read' } as const
    const path = pair.pair.socketPath(site)
    const asked = callOperation<{ entries: JournalEntry[] }>(path, operation, {}, { signal })
    return (await asked).entries
  }

  /** Of the newest run: its steps, and how it ended. */
  async function newestRun() {
    const entries = await journal()
    const { run, operation, caller } = entries.findLast((one) => one.run !== null) ?? {}
    const own = entries.filter((one) => one.run === run)
    const steps = own.filter(({ phase }) => phase === 'step').map(({ detail }) => String(detail))
    return { operation, caller, steps, end: own.at(-1) }
  }

  test('is handled by operations of its gateway', async () => {
    const { signal } = new AbortController()
    const operations = await fetchOperations(pair.pair.socketPath('dr'), signal)
    expect(operations.map(({ name, permission }) => `${name} ${permission}`)).toEqual(
      expect.arrayContaining([
        ...['replica.attach operate', 'replica.detach operate'],
        ...['replica.status read', 'tunnel.show read'],
      ]),
    )
    const shown = await pair.pair.command('dr', 'tunnel', 'show', '--json')
    expect([shown.exitCode, JSON.parse(shown.stdout)]).toMatchObject([
      0,
      { schema: 1, status: { state: 'external' }, gatewayAnswers: true },
    ])
  })

  /** As the gateway logs in. */
  async function loginOf(mode: 'off' | 'unverified'): Promise<SqlLogin> {
    return await SqlLogin.open(
      {
        ...{ role: 'replica', host: '127.0.0.1', port: pair.replica?.port ?? 0 },
        ...{ user: 'landbridge', password: new Secret(SOURCE_PASSWORD) },
        tls: { mode, caPem: null, fingerprint: null },
      },
      AbortSignal.timeout(10_000),
    )
  }

  /** What counts towards max_connect_errors, or may. */
  async function brokenHandshakes(): Promise<unknown> {
    const [rows] = await replica.query("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
    return rows
  }

  test('is detached and attached by its gateway, each step in the journal', async () => {
    const broken = await brokenHandshakes()
    expect(await command('dr', 'status')).toMatchObject({
      exitCode: 0,
      answer: { schema: 1, ok: true, gatewayAnswers: true, replica: { flavor } },
    })
    const detached = await command('dr', 'detach')
    expect(detached).toMatchObject({
      exitCode: 0,
      answer: { ok: true, action: 'detach', kept: 'released', gatewayAnswers: true },
    })
    expect(detached.answer.statements).toHaveLength(2)
    expect(await newestRun()).toMatchObject({
      operation: 'replica.detach',
      caller: 'socket',
      steps: [
        expect.stringMatching(/^looked: /),
        expect.stringMatching(/^statement 1 of 2: STOP /),
        expect.stringMatching(/^statement 2 of 2: RESET /),
      ],
      end: { phase: 'done' },
    })
    expect((await command('dr', 'status')).exitCode).toBe(1)
    const attached = await command('dr', 'attach')
    expect(attached).toMatchObject({
      exitCode: 0,
      answer: {
        ...{ ok: true, action: 'attach', dryRun: false, gatewayAnswers: true },
        // The address that the gateway has towards it.
        replica: { following: { host: '127.0.0.1', port: pair.pair.relayPort } },
      },
    })
    expect(await brokenHandshakes()).toEqual(broken)
    const { steps, end } = await newestRun()
    expect(steps).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^planned: attach, with 2 statements$/),
        expect.stringMatching(/^statement 1 of 2: CHANGE .*'\*\*\*\*\*\*\*\*'/),
        expect.stringMatching(/^waiting until both threads run: receiver running, applier running/),
      ]),
    )
    expect(end?.phase).toBe('done')
    const told = [JSON.stringify(attached.answer), JSON.stringify(await journal())].join('')
    expect(told).not.toContain(RELAY_PASSWORD)
  })

  test('is handled from the other gateway, as far as its peer file says', async () => {
    const there = ['--peer', 'azure']
    expect(await command('production', 'status', ...there)).toMatchObject({
      exitCode: 0,
      answer: { ok: true, replica: { following: { receiver: 'running' } } },
    })
    expect(await command('production', 'detach', ...there)).toMatchObject({
      exitCode: 0,
      answer: { action: 'detach', kept: 'released' },
    })
    expect(await command('production', 'attach', ...there)).toMatchObject({
      exitCode: 0,
      answer: { ok: true, action: 'attach' },
    })
    expect(await newestRun()).toMatchObject({ operation: 'replica.attach', caller: 'peer ec2' })
    const foreign = ['--relay-host', 'relay.attacker.example', '--replace']
    for (const [site, words] of [
      ['dr', ['detach', '--peer', 'ec2']],
      ['production', ['attach', ...there, ...foreign]],
    ] as const) {
      expect(await command(site, ...words)).toMatchObject({
        exitCode: 1,
        answer: { ok: false, error: { code: 'ERR_OPERATION_DENIED' } },
      })
    }
    expect((await command('dr', 'status')).exitCode).toBe(0)
  })

  test('shows who logs in at which address that is, with TLS or without', async () => {
    for (const mode of ['off', 'unverified'] as const) {
      const login = await loginOf(mode)
      const cipher = await login.row("SHOW STATUS LIKE 'Ssl_cipher'")
      login.close()
      expect(cipher?.Value === '').toBe(mode === 'off')
      expect(login.localAddress).toBe('127.0.0.1')
    }
  })

  test('is forgotten by its gateway alone, which a dry run asks for the stream', async () => {
    const words = ['detach', 'id:77', '--dry-run']
    expect(await command('dr', ...words)).toMatchObject({
      exitCode: 0,
      answer: { ok: true, action: 'forget', dryRun: true, isKnown: null },
    })
    expect(await command('production', ...words, '--peer', 'azure')).toMatchObject({ exitCode: 0 })
    expect(await command('dr', ...words, '--stream', 'other')).toMatchObject({
      exitCode: 2,
      answer: { error: { code: 'ERR_STREAM_UNKNOWN' } },
    })
  })

  test('refuses a statement without saying the secret in it, in whatever language', async () => {
    const [spoken, refusals] = [new Set<string>(), [] as unknown[]]
    const [change, password] =
      flavor === 'mysql'
        ? ['CHANGE REPLICATION SOURCE TO', 'SOURCE_PASSWORD']
        : ['CHANGE MASTER TO', 'MASTER_PASSWORD']
    const statements = [`CHANGE 'hidden'`, `${change} ${password}='x', 'hidden' NO`]
    // MySQL quotes the value; MariaDB would take it.
    if (flavor === 'mysql') statements.push(`${change} ${password}='a\nhidden'`)
    for (const language of ['en_US', 'de_DE', 'fr_FR']) {
      // Who logs in from now on is spoken to so.
      await replica.query(`SET GLOBAL lc_messages = '${language}'`)
      const login = await loginOf('off')
      spoken.add(describeError(await login.query('CHANGE').catch((error) => error)))
      for (const sql of statements) {
        refusals.push(await login.query(sql, "CHANGE '***'").catch((error) => error))
      }
      login.close()
    }
    await replica.query("SET GLOBAL lc_messages = 'en_US'")
    // Else this shows nothing: the server has no messages but the English.
    expect(spoken.size).toBe(3)
    expect(inspect(refusals, { depth: 9 })).not.toContain('hidden')
    for (const refused of refusals) {
      expect(codeOf(refused)).toBe('ERR_SQL_STATEMENT')
      expect(describeError(refused)).toMatch(
        /refuses: CHANGE '\*\*\*': error \d+, SQL state \w{5}; the server's words are left out/,
      )
    }
  })

  test('is nobody’s at the origin', async () => {
    for (const verb of ['attach', 'detach', 'status']) {
      expect(await command('production', verb)).toMatchObject({
        exitCode: 2,
        answer: { error: { code: 'ERR_USAGE', message: expect.stringContaining('is the origin') } },
      })
    }
  })

  test('is one person’s at a time; who interrupts stops the gateway too', async () => {
    const words = [LANDBRIDGE, 'replica', 'attach', '--config', pair.pair.configPath('dr')]
    const child = spawn(process.execPath, [...words, ...NOBODY])
    const said = text(child.stderr)
    await expect
      .poll(async () => (await newestRun()).steps.at(-1), { timeout: 20_000 })
      .toMatch(/^waiting until both threads run: receiver connecting/)
    for (const verb of ['attach', 'detach']) {
      expect(await command('dr', verb)).toMatchObject({
        exitCode: 1,
        answer: { error: { code: 'ERR_OPERATION_BUSY', retryable: true } },
      })
    }
    const exited = once(child, 'exit')
    child.kill('SIGINT')
    expect(await exited).toEqual([1, null])
    expect(await said).toMatch(/ERR_INTERRUPTED[\s\S]*operation journal/)
    const cancelled = async () => {
      return (await journal()).some(({ phase, detail }) => {
        return phase === 'failed' && JSON.stringify(detail).includes('receiver connecting')
      })
    }
    await expect.poll(cancelled, { timeout: 5_000 }).toBe(true)
    expect(JSON.stringify(await journal())).toContain('ERR_OPERATION_CANCELLED')
    expect(await command('dr', 'attach', '--replace')).toMatchObject({
      exitCode: 0,
      answer: { ok: true, action: 'attach' },
    })
  })

  test('is looked at and detached where no gateway runs, and attached by one alone', async () => {
    await pair.pair.kill('dr', 'SIGTERM')
    expect(await command('dr', 'status')).toMatchObject({
      exitCode: 1,
      answer: { ok: false, gatewayAnswers: false, replica: { following: expect.anything() } },
    })
    expect(await command('dr', 'attach')).toMatchObject({
      exitCode: 4,
      answer: {
        error: { code: 'ERR_GATEWAY_NOT_RUNNING', remedy: expect.stringContaining('run --config') },
      },
    })
    const { stdout } = await pair.pair.command('dr', 'replica', 'detach')
    expect(stdout).toMatch(/the replica is detached\nwarning: .*\n.*\nno gateway answers/)
    const [rows] = await replica.query(
      flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS',
    )
    expect(rows).toEqual([])
    await pair.pair.start('dr')
    await pair.held()
    expect(await command('dr', 'attach')).toMatchObject({ exitCode: 0, answer: { ok: true } })
    await pair.pair.until('dr', ({ streams }) => {
      return streams[0]?.replicas[0]?.state === 'caught-up'
    })
    expect((await pair.compareTables()).equal).toBe(true)
  })
})
