import { execFile } from 'node:child_process'
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { writeLoopbackSites } from '../helpers/pair/loopback-gateways.ts'
import { PairFolder } from '../helpers/pair/pair-folder.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What a program of somebody else does with the package; types and all. */
const PROGRAM = `
import {
  BINLOG_MAGIC, createGateway, createLog, EventFramer, EventType, followSource, isLandbridgeError,
  LandbridgeError, listClosedFiles, loadConfig, packageVersion, parseGtidSet, Secret, silentLog,
  type EventHeader, type EventVisitor, type Flavor, type FollowSourceOptions, type Gateway,
  type GatewayConfig, type GatewayStatus, type GtidSet, type Problem, type RawBytes,
} from 'landbridge'

const [file = '', folder = ''] = process.argv.slice(2)
const config: GatewayConfig = await loadConfig(file)
const gateway: Gateway = await createGateway(config, { log: silentLog })
const status: GatewayStatus = gateway.status()
const problems: readonly Problem[] = status.problems
const flavor: Flavor = 'mysql'
const set: GtidSet = parseGtidSet(flavor, '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5')
const types: number[] = []
const visitor: EventVisitor = {
  onHeader: (header: EventHeader) => { types.push(header.type); return 0 },
  onEnd: () => undefined,
}
const framer = new EventFramer({ checksum: false, visitor })
const event = Buffer.alloc(19)
event.writeUInt8(EventType.Rotate, 4)
event.writeUInt32LE(19, 9)
framer.push(event, 0, event.length)
const options: FollowSourceOptions = {
  source: {
    host: '127.0.0.1', port: 1, user: 'nobody', password: new Secret('x'),
    tls: { mode: 'off', caPem: null },
  },
  serverId: 4_100_000_001,
  replicaUuid: '7f3c0a52-93b1-11ef-8a0f-0242ac120002',
}
const raw: RawBytes[] = []
let code = ''
try {
  for await (const part of followSource(options, { signal: new AbortController().signal })) {
    raw.push(part)
  }
} catch (error) {
  if (!isLandbridgeError(error)) throw error
  const typed: LandbridgeError = error
  code = typed.code
}
console.log(JSON.stringify({
  name: status.name, problems: problems.length, version: packageVersion(), types,
  gtids: set.toString(), magic: BINLOG_MAGIC.length, code, raw: raw.length,
  closed: (await listClosedFiles(folder)).length, log: typeof createLog,
  secret: String(options.source.password),
}))
`

const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    skipLibCheck: false,
    noEmit: true,
  },
  include: ['program.mts'],
}

describe('the package, installed from its file as README.md says', needs(), () => {
  let directory: string
  let app: string
  let installed: string
  let command: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'landbridge-package-'))
    app = join(directory, 'app')
    await run('npm', ['run', 'release', '--', '--out', directory], { cwd: ROOT })
    const prefix = join(directory, 'prefix')
    const env = { ...process.env, npm_config_prefix: prefix, npm_config_cache: join(app, 'cache') }
    for (const line of await installLines()) await run('sh', ['-ec', line], { cwd: directory, env })
    installed = join(prefix, 'lib', 'node_modules', 'landbridge')
    command = join(prefix, 'bin', 'landbridge')
    await mkdir(join(app, 'node_modules', '@types'), { recursive: true })
    await symlink(installed, join(app, 'node_modules', 'landbridge'))
    await symlink(join(ROOT, 'node_modules/@types/node'), join(app, 'node_modules/@types/node'))
    await writeFile(join(app, 'package.json'), '{ "type": "module", "private": true }')
    await writeFile(join(app, 'program.mts'), PROGRAM)
    await writeFile(join(app, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  })

  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('of another file nothing is installed', async () => {
    const [archive = ''] = (await readdir(directory)).filter((name) => name.endsWith('.tgz'))
    await appendFile(join(directory, archive), 'x')
    const [check = ''] = await installLines()
    await expect(run('sh', ['-ec', check], { cwd: directory })).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('FAILED'),
    })
  })

  test('type-checks a program that uses all of it', async () => {
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
    const { stdout } = await run(tsc, ['-p', app]).catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  })

  test('runs that program', async () => {
    await using folder = await PairFolder.create()
    await folder.edit('gateway/ec2.yaml', ['/var/lib/landbridge', folder.at('data')])
    const argv = [join(app, 'program.mts'), folder.at('gateway/ec2.yaml'), folder.at('certs')]
    const { stdout } = await run(process.execPath, argv)
    expect(JSON.parse(stdout)).toEqual({
      name: 'ec2',
      problems: 0,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      types: [4],
      gtids: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5',
      magic: 4,
      code: 'ERR_SOURCE_CONNECT',
      raw: 0,
      closed: 0,
      log: 'function',
      secret: '[secret]',
    })
  })

  test('lets nobody past its public names', async () => {
    const script = "import('landbridge/dist/gateway.js').catch((e) => console.log(e.code))"
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: app })
    expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  test('holds the table of error codes that its help names', async () => {
    const { stdout } = await run(process.execPath, [
      join(installed, 'src', 'cli', 'landbridge.mjs'),
      '--help',
    ])
    const [named = 'nothing'] = /src\/base\/\w+\.md/.exec(stdout) ?? []
    expect(await readFile(join(installed, named), 'utf8')).toContain('| ERR_CONFIG |')
  })

  test('has a command that runs from its built files, without the sources', async () => {
    const landbridge = (...args: string[]) => run(process.execPath, [command, ...args])
    expect((await landbridge('version')).stdout).toMatch(/\d+\.\d+\.\d+/)
    for (const name of ['run', 'replica', 'lab']) {
      expect((await landbridge(name, '--help')).stdout, name).toContain(`landbridge ${name}`)
    }
    await using folder = await PairFolder.create()
    const check = ['check', '--offline', '--config', folder.at('gateway/ec2.yaml')]
    expect((await landbridge(...check)).stdout).toContain('0 errors, 0 warnings')
    const all = await readdir(installed, { recursive: true })
    const files = all.filter((name) => !name.startsWith('node_modules/'))
    expect(files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).toEqual([])
    expect(files).toEqual(
      expect.arrayContaining([
        'gateway/prometheus/landbridge.rules.yml',
        'gateway/prometheus/landbridge.dashboard.json',
        'src/observe/METRICS.md',
        'src/status/status.schema.json',
      ]),
    )
  })

  test('serves its web page from its built files, under 150 kB in all', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lbpage-'))
    const stop = new AbortController()
    try {
      const login = { port: 1, user: 'nobody', password: 'x' }
      const { pagePorts } = await writeLoopbackSites(folder, {
        sites: ['ec2', 'azure'],
        streams: [{ name: 'main', origin: 'ec2', databases: { ec2: login } }],
        page: true,
      })
      const argv = [command, 'run', '--config', join(folder, 'gateway', 'ec2.yaml')]
      const { signal } = stop
      const gateway = run(process.execPath, argv, { signal }).catch((error: unknown) => error)
      const url = `http://127.0.0.1:${pagePorts.get('ec2')}`
      const get = (path: string) => fetch(url + path).catch(() => null)
      await expect.poll(async () => (await get('/'))?.status).toBe(200)
      const html = (await (await get('/'))?.text()) ?? ''
      const paths = new Set(Array.from(html.matchAll(/(?:src|href)="([^"]+)"/g), ([, to]) => to))
      expect(paths.size).toBeGreaterThan(15)
      let bytes = html.length
      for (const path of paths) {
        const answer = await get(path ?? '')
        expect(answer?.status, path).toBe(200)
        const text = (await answer?.text()) ?? ''
        expect(text, path).not.toMatch(/^import [^;]*\.ts'/m)
        bytes += Buffer.byteLength(text)
      }
      expect(bytes).toBeGreaterThan(80_000)
      expect(bytes).toBeLessThan(150_000)
      stop.abort()
      await gateway
    } finally {
      stop.abort()
      await rm(folder, { recursive: true, force: true })
    }
  })
})

/** The same steps stand on both pages. */
async function installLines(): Promise<string[]> {
  const lines = async (file: string): Promise<string[]> => {
    const text = await readFile(join(ROOT, file), 'utf8')
    return text.match(/(?<=^ {4})(sha256sum --check|npm install).*\.tgz.*$/gm) ?? []
  }
  const readme = await lines('README.md')
  expect(readme).toHaveLength(2)
  expect(await lines('gateway/README.md')).toEqual(readme)
  return readme
}
