import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rename } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../../src/lab/hosts/command.ts'
import { createNamespaces, listNamespaces } from '../../src/lab/hosts/namespaces.ts'
import { landbridgeArgv } from '../../src/lab/lab-gateways.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { sidProgram } from '../../src/lab/servers/machine-cache.ts'
import { needs } from '../helpers/needs.ts'
import { PairFolder } from '../helpers/pair/pair-folder.ts'

/*
 * `--json` of the commands that make and remove something of the machine. No database takes part.
 */

const run = promisify(execFile)
const id = randomBytes(3).toString('hex')

async function landbridge(namespace: string | null, ...words: string[]): Promise<unknown> {
  const inside = namespace === null ? [] : ['ip', 'netns', 'exec', namespace]
  const [program = '', ...rest] = [...inside, ...landbridgeArgv(...words)]
  return JSON.parse((await run(program, rest)).stdout)
}

describe('landbridge tunnel --json', needs('root'), () => {
  const namespace = `lbj-${id}`
  const interfaceName = `lbj${id}`
  let folder: PairFolder
  let config: string[]
  const started: ChildProcess[] = []

  beforeAll(async () => {
    await run('ip', ['netns', 'add', namespace])
    folder = await PairFolder.create()
    const program = sidProgram('usr/bin/wireguard-go') ?? ['wireguard-go']
    await folder.edit(
      'gateway/ec2.yaml',
      ['interface: lb0', `interface: ${interfaceName}`],
      ['backend: auto', `userspaceBinary: ${JSON.stringify(program)}\n  backend: auto`],
      ['dataDir: /var/lib/landbridge', `dataDir: ${folder.at('data')}`],
      ['/run/landbridge/ec2.sock', folder.at('ec2.sock')],
    )
    config = ['--config', folder.at('gateway/ec2.yaml'), '--json']
  })

  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL')
    await landbridge(namespace, 'tunnel', 'down', ...config)
    await run('ip', ['netns', 'delete', namespace])
    await folder[Symbol.asyncDispose]()
  })

  /** What `tunnel up` says, line by line. */
  function up() {
    const argv = ['netns', 'exec', namespace, ...landbridgeArgv('tunnel', 'up', ...config)]
    const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    started.push(child)
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
  }

  /** An interface of somebody else under the tunnel's name. */
  async function addForeign(): Promise<void> {
    const link = ['link', 'add', interfaceName, 'type', 'veth', 'peer', 'name', `lbx${id}`]
    await run('ip', ['-n', namespace, ...link])
  }

  async function links(): Promise<string> {
    return (await run('ip', ['-n', namespace, '-o', 'link', 'show'])).stdout
  }

  test('up prints the object of show for each change, and down what it removed', async () => {
    const { child, lines } = up()
    const shown = JSON.parse((await lines.next()).value ?? '')
    expect(shown).toMatchObject({
      schema: 1,
      self: { name: 'ec2', site: 'ec2' },
      peers: [{ name: 'azure' }],
      keepaliveMs: 25_000,
      status: {
        state: 'never',
        interface: interfaceName,
        localAddress: '10.77.0.1',
        firewall: { inPlace: true, accepts: ['tcp/7400'], forwards: false },
      },
      problem: null,
    })
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    expect(await links()).toContain(interfaceName)
    const removed = { ok: true, gateway: 'ec2', interface: interfaceName }
    expect(await landbridge(namespace, 'tunnel', 'down', ...config)).toEqual(removed)
    expect(await links()).not.toContain(interfaceName)
    expect(await landbridge(namespace, 'tunnel', 'down', ...config)).toEqual(removed)
  })

  test('up names what is in its way, with a remedy, and goes on when it is gone', async () => {
    await addForeign()
    const { child, lines } = up()
    expect(JSON.parse((await lines.next()).value ?? '')).toMatchObject({
      status: { state: 'down' },
      problem: { code: 'ERR_TUNNEL_INTERFACE', remedy: expect.stringMatching(/\w/) },
    })
    await run('ip', ['-n', namespace, 'link', 'delete', interfaceName])
    let now = { problem: {}, status: { state: '' } }
    while (now.problem !== null) now = JSON.parse((await lines.next()).value ?? '')
    expect(now.status.state).toBe('never')
    const exited = once(child, 'exit')
    child.kill('SIGINT')
    expect(await exited).toEqual([0, null])
    expect(await links()).not.toContain(interfaceName)
  })

  test('show and down need no key, which a person at a prompt often cannot read', async () => {
    await rename(folder.at('certs'), folder.at('away'))
    try {
      const shown = await landbridge(namespace, 'tunnel', 'show', ...config).catch(
        ({ stdout }: { stdout: string }) => JSON.parse(stdout),
      )
      expect(shown).toMatchObject({
        status: { state: 'down', interface: interfaceName, firewall: { inPlace: false } },
        self: { name: 'ec2' },
      })
      const removed = { ok: true, gateway: 'ec2', interface: interfaceName }
      expect(await landbridge(namespace, 'tunnel', 'down', ...config)).toEqual(removed)
    } finally {
      await rename(folder.at('away'), folder.at('certs'))
    }
  })

  test('down reports what it does not touch as every command reports an error', async () => {
    await addForeign()
    const refused = await landbridge(namespace, 'tunnel', 'down', ...config).catch(
      ({ stdout }: { stdout: string }) => JSON.parse(stdout),
    )
    await run('ip', ['-n', namespace, 'link', 'delete', interfaceName])
    expect(refused).toMatchObject({
      ok: false,
      error: { code: 'ERR_TUNNEL_INTERFACE', remedy: expect.stringMatching(/\w/) },
    })
  })
})

test('landbridge lab down --json says which labs, and what was gone', needs('root'), async () => {
  const paths = labPaths(`t-${id}`)
  const down = ['lab', 'down', '--name', paths.name, '--json']
  await createNamespaces(paths, ['ec2', 'azure'])
  const { name } = paths
  // What a lab of before the sites had names had.
  await runCommand(['ip', 'netns', 'add', `lb-${name}-prod-db`])
  expect(await landbridge(null, ...down)).toEqual({ labs: [{ name, already: false }] })
  expect((await listNamespaces()).filter((one) => one.includes(name))).toEqual([])
  expect(await landbridge(null, ...down)).toEqual({ labs: [{ name, already: true }] })
})
