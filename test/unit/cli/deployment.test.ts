import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { beforeAll, expect, test } from 'vitest'
import { buildProgram } from '../../../src/cli/main.ts'
import { composeRun } from '../../helpers/docker/compose-service.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const FILES = [
  'docker-compose.yml',
  'gateway/Dockerfile',
  'gateway/README.md',
  'gateway/cloud-init/azure.yaml',
  'gateway/cloud-init/ec2.yaml',
  'gateway/landbridge-in-container.sh',
  'gateway/landbridge@.service',
]

let program: Command

beforeAll(async () => {
  program = await buildProgram()
})

/** `landbridge COMMAND ... --flag ...` as far as the line, the quote or the shell goes. */
function commandLines(text: string): string[] {
  const folded = text.replaceAll(/\n {6}(?=--)/g, ' ')
  return [...folded.matchAll(/\blandbridge ([a-z][^`\n"|;&)]*)/g)].map((match) => match[1] ?? '')
}

test.each(FILES)('every command and flag in %s exists', async (file) => {
  const text = await readFile(`${ROOT}${file}`, 'utf8')
  for (const line of commandLines(text)) {
    const [first = '', second = ''] = line.split(/\s+/)
    const command = program.commands.find((candidate) => candidate.name() === first)
    if (command === undefined) continue
    const sub = command.commands.find((candidate) => candidate.name() === second) ?? command
    const known = sub.options.map(({ long }) => long)
    for (const [flag] of line.matchAll(/--[a-z-]+/g)) expect(known, line).toContain(flag)
  }
})

test('the flags that init is given on new machines are looked at', async () => {
  const text = await readFile(`${ROOT}gateway/cloud-init/ec2.yaml`, 'utf8')
  const init = commandLines(text).find((line) => line.startsWith('init'))
  expect(init).toContain('--credentials')
  expect(init).toContain('--endpoint ec2=')
})

test('the unit waits for what the service manager is told', async () => {
  const unit = await readFile(`${ROOT}gateway/landbridge@.service`, 'utf8')
  const teller = await readFile(`${ROOT}src/cli/run/service-manager.ts`, 'utf8')
  for (const line of ['Type=notify', 'NotifyAccess=all']) {
    expect(unit).toContain(`\n${line}\n`)
    expect(teller).toContain(line)
  }
  for (const message of ['READY=1', 'WATCHDOG=1', 'STOPPING=1']) expect(teller).toContain(message)
})

test('no page installs landbridge by a name that anybody could own', async () => {
  for (const file of [...FILES, 'README.md', 'CONTRIBUTING.md']) {
    const text = await readFile(`${ROOT}${file}`, 'utf8')
    const byName = /\bnpm[ ,]+(i|install|exec)\b[^\n]*[ ,"']landbridge(?![-.\w/@])/
    expect(byName.exec(text)?.[0], file).toBeUndefined()
  }
})

test.each(['ec2', 'azure'])(
  'cloud-init of %s installs the file of one digest alone',
  async (name) => {
    const text = await readFile(`${ROOT}gateway/cloud-init/${name}.yaml`, 'utf8')
    const [, script = ''] = /(curl --fail[^\n]*(?:\n {6}\S[^\n]*)+)/.exec(text) ?? []
    const [fetched = '', ...rest] = script.replaceAll(/\n */g, ' ').split(' && ')
    expect(fetched).toContain('--output /root/landbridge.tgz @RELEASE_URL@')
    const folder = await mkdtemp(join(tmpdir(), 'landbridge-cloud-init-'))
    try {
      const file = join(folder, 'landbridge.tgz')
      await writeFile(file, 'what was released')
      const right = createHash('sha256').update('what was released').digest('hex')
      for (const digest of [right, '0'.repeat(64)]) {
        const command = rest
          .join(' && ')
          .replaceAll('/root/landbridge.tgz', file)
          .replace('@RELEASE_SHA256@', digest)
          .replace('npm install', 'echo installs')
        const { status, stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
        const isRight = digest === right
        expect(stdout).toContain(
          isRight ? `installs --global --prefix /usr/local --offline ${file}` : 'FAILED',
        )
        expect(status === 0).toBe(isRight)
        expect(stdout.includes('installs')).toBe(isRight)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

test('what is run by its path may be run', async () => {
  for (const file of ['src/cli/landbridge.mjs', 'gateway/landbridge-in-container.sh']) {
    expect((await stat(`${ROOT}${file}`)).mode & 0o100, file).toBe(0o100)
  }
})

/** Patterns of .dockerignore that let something in; everything else is kept out. */
async function admitted(): Promise<string[]> {
  const lines = (await readFile(`${ROOT}.dockerignore`, 'utf8')).trim().split('\n')
  const [first, ...rest] = lines.filter((line) => !line.startsWith('#'))
  expect(first).toBe('*')
  return rest.map((line) => line.replace(/^!/, '')).sort()
}

test('the engine is sent what the Dockerfile copies, and no private key', async () => {
  const dockerfile = await readFile(`${ROOT}gateway/Dockerfile`, 'utf8')
  const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)]
  const sources = copies.flatMap(([, words = '']) => words.split(' '))
  expect(await admitted()).toEqual(sources.sort())
  for (const source of sources) await access(`${ROOT}${source}`)
})

/** Values that a flag has in the arguments of `docker run`. */
function valuesOf(args: readonly string[], flag: string): string[] {
  return args.flatMap((word, index) => (args[index - 1] === flag ? [word] : []))
}

test('in a container, capabilities, ports and folders are what the gateway needs', async () => {
  const env = { GATEWAY: 'azure', RELAY_PORT: '13307', LANDBRIDGE_DIRECTORY: '/etc/landbridge' }
  const { run } = await composeRun(`${ROOT}docker-compose.yml`, 'dr', env)
  expect(valuesOf(run, '--cap-drop')).toEqual(['ALL'])
  // The init process stays root; it may not send a signal to another user without KILL.
  expect(run).toContain('--init')
  expect(valuesOf(run, '--cap-add')).toEqual(['NET_ADMIN', 'SETUID', 'SETGID', 'SETPCAP', 'KILL'])
  // What a peer or a replica is told must be true outside as well.
  expect(valuesOf(run, '--publish')).toEqual(['51820:51820/udp', '13307:13307/tcp'])
  expect(valuesOf(run, '--volume')).toEqual([
    '/etc/landbridge/gateway:/etc/landbridge/gateway:ro',
    '/etc/landbridge/peers:/etc/landbridge/peers:ro',
    '/etc/landbridge/certs/ca.crt:/etc/landbridge/certs/ca.crt:ro',
    '/etc/landbridge/certs/azure:/etc/landbridge/certs/azure:ro',
    'dr-data:/var/lib/landbridge',
  ])
})
