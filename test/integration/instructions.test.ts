import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import type { Flavor } from '../../src/base/flavor.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { AlertReceiver } from '../helpers/observe/alert-receiver.ts'
import { expectSound } from '../helpers/observe/sound-gateway.ts'
import { LoopbackPair } from '../helpers/pair/loopback-pair.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'
import { commandOf, type PageLine, pageLines } from '../helpers/terminal/page-commands.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PAGES = ['README.md', 'gateway/README.md']
const PASSWORD = 'login-secret'

/** What is on the pages and not run here, each with the reason. A rule that fits nothing fails. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/──▶/, 'a picture'],
  [/^npm run demo$/, 'demo.test.ts runs it'],
  [
    /^(Building two clouds|Writing to the source|Summary|10 s, \d+ trans|✓ )/,
    'printed by the demo',
  ],
  [/^(transactions committed at|receive lag|apply lag|bytes o)/, 'printed by the demo'],
  [/^npm test$/, 'it would run itself'],
  [/^ssh -L /, 'from another machine'],
  [/^(page:|(listen|viewers): )/, 'settings: page.test.ts'],
  [/^npm run release$/, 'package.test.ts runs it'],
  [/^(export npm_config_prefix=|sha256sum --check|npm install .*\.tgz$)/, 'package.test.ts'],
  [/^npm install --global node@24$/, 'it fetches a Node'],
  [/^(azure \(copy\): ok|(tunnel|lag|loss|failover)($| {3}))/, 'printed by status'],
  [/^(problems$|error link: |remedy: )/, 'printed by status'],
  [
    /^(stream: main|exposed|missing for sure|behind the|replica 2001|synced here)/,
    'printed by lag',
  ],
  [/^(last minute|15 minutes|24 hours|9\.4 s|0 ·|2026-11-28 05|[▁▂▃▄▅▆▇█]+$)/, 'printed by lag'],
  [/^landbridge tunnel show/, 'there is no WireGuard on the loopback; tunnel.test.ts runs it'],
  [
    /^((interface|gateway|state|public key|private key|listening port|back end|address): |mtu: )/,
    'printed by tunnel show',
  ],
  [/^(accepts|forwards|peer|endpoint|allowed ips|latest handshake): /, 'printed by tunnel show'],
  [/^(transfer|persistent keepalive): /, 'printed by tunnel show'],
  [/^(limit|by|measured|waiting|besides)( |$)/, 'printed by throttle'],
  [/^landbridge throttle( (20MB|pause|resume|off).*)?$/, 'throttle.test.ts runs it'],
  [/^(throttle:|bytesPerSecond:|schedule:|- \{ cron|yield:|brake:)/, 'of a file: throttle.test.ts'],
  [/^landbridge events .*--follow$/, 'it goes on until Ctrl-C: it is run below'],
  [
    /^(- )?(metrics|listen|scrape_configs|job_name|static_configs|targets|rule_files):/,
    'of a file: prometheus.test.ts',
  ],
  [/^(alerts|webhook|url|bearerFile|ca|holdOff|repeat):/, 'of a file: alerts-section.test.ts'],
  [/^2026-11-28 /, 'printed by events'],
  [/^(import|const|await|for await) |^}$/, 'a program: package.test.ts runs one'],
  [/^npm run (landbridge -- lab|chaos --) /, 'lab.test.ts and chaos.test.ts run it'],
  [
    /^(useradd|chown|systemctl|systemd-run|cp .*systemd\/system\/$)/,
    'it changes the whole machine',
  ],
  [/^printf .* modprobe wireguard$/, 'it changes the whole machine'],
  [/^(docker compose|printf .*\.env$)/, 'docker-image.test.ts runs it'],
]

/** Which lines are run, and what runs them. */
const RUN = {
  init: /^landbridge init /,
  gateway: /^landbridge run /,
  command: new RegExp(
    '^(landbridge (check |status |lag |throttle .*--config|replica |events .*(since|json))' +
      '|openssl )',
  ),
  sql: /^(-- |(CREATE USER|GRANT|SET) .*;)/,
} as const

const lines = new Map<string, readonly PageLine[]>()
for (const page of PAGES) {
  lines.set(page, pageLines(page, await readFile(join(ROOT, page), 'utf8')))
}
const all = [...lines.values()].flat()

test('every line of the pages is run, or left out for a reason that still holds', () => {
  const rules = [...Object.values(RUN), ...NOT_RUN.map(([rule]) => rule)]
  const unknown = all.filter((line) => !rules.some((rule) => rule.test(commandOf(line))))
  expect(unknown.map(({ place, text }) => `${place} ${text}`)).toEqual([])
  const idle = rules.filter((rule) => !all.some((line) => rule.test(commandOf(line))))
  expect(idle).toEqual([])
})

/** Of SQL, what is meant for this flavour: by a remark behind the line, or above it. */
function sqlFor(flavor: Flavor, user: string): string[] {
  const word = { mysql: '-- MySQL', mariadb: '-- MariaDB' }[flavor]
  let above: string | null = null
  const found: string[] = []
  for (const { text } of all.filter((line) => RUN.sql.test(commandOf(line)))) {
    if (text.startsWith('SET SESSION sql_log_bin')) above = null
    if (text.startsWith('-- ')) above = text
    const remark = /;\s+(-- .*)$/.exec(text)?.[1] ?? above
    if (!text.startsWith('-- ') && (remark ?? word).startsWith(word)) found.push(text)
  }
  const first = found.findIndex((text) => text.startsWith('SET SESSION sql_log_bin'))
  return user === 'landbridge' ? found.slice(0, first) : found.slice(first)
}

describeFlavors('the instructions, step by step, for %s', { needs: ['promtool'] }, (flavor) => {
  let directory: string
  let servers: TestServers
  let source: RunningServer
  let replica: RunningServer
  let pair: LoopbackPair
  let receiver: AlertReceiver
  const gateways: ChildProcess[] = []
  const connections: Connection[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lb-page-'))
    await writeFile(join(directory, 'landbridge'), wrapper(), { mode: 0o755 })
    servers = await TestServers.create()
    ;[source, replica] = await Promise.all([
      servers.start(flavor, { serverId: 1, durable: true }),
      servers.start(flavor, { serverId: 2 }),
    ])
    pair = await LoopbackPair.create({
      source: { port: source.port, user: 'landbridge', password: PASSWORD },
      replica: { port: replica.port, user: 'landbridge_replica', password: PASSWORD },
    })
    receiver = await AlertReceiver.start()
    const config = parseDocument(await readFile(pair.configPath('dr'), 'utf8'))
    config.setIn(['alerts', 'webhook'], { url: `${receiver.origin}/hook`, holdOff: '1s' })
    await writeFile(pair.configPath('dr'), config.toString())
  })

  afterAll(async () => {
    for (const connection of connections) connection.destroy()
    for (const gateway of gateways) {
      if (gateway.exitCode !== null || gateway.signalCode !== null) continue
      const exited = once(gateway, 'exit')
      gateway.kill('SIGTERM')
      await exited
    }
    await pair?.stop()
    await servers?.stop()
    await receiver?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  /** What stands on the pages for the reader's own machines, and what it is here. */
  function substituted(command: string, folder: string): string {
    const values: readonly (readonly [string, string])[] = [
      ['/etc/landbridge/', `${folder}/`],
      ['/var/lib/mysql/server-cert.pem', source.tls?.certificate ?? ''],
      ['198.51.100.20:51820', '127.0.0.1:51820'],
      ['198.51.100.10:3306', `127.0.0.1:${source.port}`],
      ["BY '...'", `BY '${PASSWORD}'`],
    ]
    return values.reduce((text, [from, to]) => text.replaceAll(from, to), command)
  }

  async function run(command: string, folder = pair.directory) {
    const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` }
    const argv = ['-ec', substituted(command, folder)]
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number; output: string }>()
    const child = execFile('sh', argv, { cwd: folder, env }, (_error, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, output: stdout + stderr })
    })
    return await promise
  }

  const on = (page: string, rule: RegExp) =>
    (lines.get(page) ?? []).map(commandOf).filter((command) => rule.test(command))

  /** What the webhook was told from that message on. */
  function fired(from = 0): string[] {
    return receiver
      .told()
      .slice(from)
      .flatMap((told) => told.split(', '))
  }

  async function runSql(server: RunningServer, user: string): Promise<Connection> {
    const sql = await connectSql({ socket: server.socket })
    connections.push(sql)
    const statements = sqlFor(flavor, user)
    expect(statements.length).toBeGreaterThan(1)
    for (const statement of statements) await sql.query(substituted(statement, ''))
    return sql
  }

  test('init makes the files of both gateways', async () => {
    for (const page of PAGES) {
      const folder = await mkdtemp(join(directory, 'init-'))
      const [command = ''] = on(page, RUN.init)
      expect(await run(command, folder)).toMatchObject({ exitCode: 0 })
      for (const name of ['ec2', 'azure']) await stat(join(folder, `gateway/${name}.yaml`))
    }
  })

  test('the logins are made as the page says, and the gateways run', async () => {
    const sql = await runSql(source, 'landbridge')
    await sql.query('CREATE DATABASE d')
    await runSql(replica, 'landbridge_replica')
    const [start = ''] = on('README.md', RUN.gateway)
    for (const name of ['ec2', 'azure']) {
      const argv = ['-ec', `exec ${start.replace('ec2', name)}`]
      const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` }
      gateways.push(spawn('sh', argv, { cwd: pair.directory, env, stdio: 'ignore' }))
    }
    await pair.until('dr', ({ streams }) => (streams[0]?.spool?.synced?.gtids ?? '') !== '')
  })

  test('every command of the pages then ends as it should, in their order', async () => {
    const commands = PAGES.flatMap((page) => on(page, RUN.command))
    // Before the replica is attached its state is degraded, which `check` does not mind.
    for (const command of commands) {
      const isStatus = / status /.test(command)
      if (isStatus) await pair.until('dr', ({ state }) => state === 'ok')
      const { exitCode, output } = await run(command)
      expect(exitCode, `${command}\n${output}`).toBe(0)
    }
  })

  test('what healthy gateways say of themselves is what is documented', async () => {
    for (const site of ['production', 'dr'] as const) {
      await expectSound(await pair.status(site), await pair.metrics(site))
    }
  })

  test('a replica that is detached is missed, as the page says', async () => {
    expect(await run('landbridge replica detach --config gateway/azure.yaml')).toMatchObject({
      exitCode: 0,
    })
    await connections[0]?.query('CREATE TABLE d.t (id INT PRIMARY KEY)')
    await pair.until('dr', ({ problems }) => problems.some(isStopped))
    const status = await run('landbridge status --config gateway/azure.yaml')
    expect([status.exitCode, status.output]).toEqual([
      1,
      expect.stringContaining('ERR_REPLICA_STOPPED'),
    ])
    await expectSound(await pair.status('dr'), await pair.metrics('dr'))
    await expect.poll(fired).toContain('firing ERR_REPLICA_STOPPED')
  })

  test('events say what was done and what happened, over a kill, and follow it', async () => {
    const [command = ''] = on('gateway/README.md', /events .*--follow$/)
    const argv = ['-ec', `exec ${command} --json`]
    const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` }
    const following = spawn('sh', argv, { cwd: pair.directory, env, stdio: ['ignore', 'pipe', 2] })
    let text = ''
    following.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    const events = (): { id: string; what: string }[] =>
      text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    const seen = () => events().map(({ what }) => what)
    await expect.poll(seen).toContainEqual(expect.stringMatching(/^replica:main: repl/))
    expect(seen()).toContain('replica.detach done')
    const azure = gateways[1]
    const exited = once(azure as ChildProcess, 'exit')
    azure?.kill('SIGKILL')
    await exited
    const [start = ''] = on('README.md', RUN.gateway)
    const again = ['-ec', `exec ${start.replace('ec2', 'azure')}`]
    gateways.push(spawn('sh', again, { cwd: pair.directory, env, stdio: 'ignore' }))
    await expect.poll(seen).toContainEqual(expect.stringContaining('it crashed or was killed'))
    // Whoever was told of a problem is told again that it still is one.
    const before = receiver.posts.length
    await expect.poll(() => fired(before)).toContain('firing ERR_REPLICA_STOPPED')
    const ended = once(following, 'exit')
    following.kill('SIGINT')
    expect(await ended).toEqual([0, null])
    expect(new Set(events().map(({ id: one }) => one)).size).toBe(events().length)
  })
})

function isStopped({ code }: { readonly code: string }): boolean {
  return code === 'ERR_REPLICA_STOPPED'
}

/** `landbridge` on PATH, run from source. */
function wrapper(): string {
  return `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/cli/landbridge.mjs')}' "$@"\n`
}
