import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateWireguardKeyPair } from '../../src/base/wireguard-key.ts'
import { sidProgram } from '../../src/lab/servers/machine-cache.ts'
import { type FirewallPolicy, tunnelTable } from '../../src/tunnel/firewall.ts'
import { needs } from '../helpers/needs.ts'
import { TunnelHost } from '../helpers/tunnel/tunnel-host.ts'
import type { TunnelProcessOptions } from '../helpers/tunnel/tunnel-process.ts'

/*
 * Two network namespaces, a wire between them and a tunnel in each: what a pair of gateways has,
 * with nothing else around it.
 */

const run = promisify(execFile)
const id = randomBytes(3).toString('hex')
const userspaceArgv = sidProgram('usr/bin/wireguard-go') ?? ['wireguard-go']
const keys = [generateWireguardKeyPair(), generateWireguardKeyPair()] as const
const folder = await mkdtemp(join(tmpdir(), 'landbridge-tunnel-'))

class PairHost extends TunnelHost {
  readonly #index: 0 | 1
  /** What the next start takes: with IPv6 or IPv4 inside the tunnel, and who may come in. */
  family: 4 | 6 = 4
  policy: FirewallPolicy = { accept: [{ protocol: 'tcp', port: 7400 }], forward: false }

  constructor(index: 0 | 1, dataDir = String(index), place: number = index) {
    super({
      namespace: `lbt-${id}-${place}`,
      interfaceName: `lbt${id}${index}`,
      dataDir: join(folder, dataDir),
    })
    this.#index = index
  }

  /** Inside the tunnel. */
  get address(): string {
    return this.family === 4 ? `10.77.0.${this.#index + 1}` : `fd77::${this.#index + 1}`
  }

  protected options(): TunnelProcessOptions {
    const other = this.#index === 0 ? 1 : 0
    return {
      settings: {
        interfaceName: this.interfaceName,
        listenPort: 51_820,
        mtuBytes: 1340,
        address: this.address,
        prefixLength: this.family === 4 ? 30 : 64,
        peers: [
          {
            name: hosts[other].namespace,
            publicKey: keys[other].publicKey,
            tunnelAddress: hosts[other].address,
            keepaliveMs: 1000,
            // Only one side knows where the other is, as with a gateway behind NAT.
            endpoints: this.#index === 0 ? [] : [{ host: '198.51.100.1', port: 51_820 }],
          },
        ],
      },
      privateKey: keys[this.#index].privateKey.reveal(),
      publicKey: keys[this.#index].publicKey,
      firewall: this.policy,
      backend: 'auto',
      userspaceArgv,
      dataDir: this.dataDir,
    }
  }
}

const hosts = [new PairHost(0), new PairHost(1)] as const
const [near, far] = hosts
/** A host of the near site that only the near gateway can reach. */
const behind = `lbt-${id}-2`
const listeners: ChildProcess[] = []

beforeAll(async () => {
  for (const { namespace } of hosts) await run('ip', ['netns', 'add', namespace])
  const [wire, end] = [`lbv${id}0`, `lbv${id}1`]
  await run('ip', ['link', 'add', wire, 'type', 'veth', 'peer', 'name', end])
  for (const [index, link] of [wire, end].entries()) {
    const host = hosts[index as 0 | 1]
    await run('ip', ['link', 'set', link, 'netns', host.namespace])
    await host.exec('ip', 'address', 'add', `198.51.100.${index + 1}/24`, 'dev', link)
    await host.exec('ip', 'link', 'set', link, 'up')
    await host.exec('ip', 'link', 'set', 'lo', 'up')
  }
})

afterAll(async () => {
  for (const host of hosts) await host.stop('SIGTERM')
  for (const child of listeners) child.kill('SIGKILL')
  const namespaces = (await run('ip', ['netns', 'list'])).stdout.split('\n')
  for (const line of namespaces) {
    const [name = ''] = line.split(' ')
    if (name.startsWith(`lbt-${id}-`)) await run('ip', ['netns', 'delete', name])
  }
  await rm(folder, { recursive: true })
})

/** Sends bytes through the tunnel over TCP and gives back what arrived. */
async function carry(bytes: number): Promise<number> {
  const server = `
    const server = require('node:net').createServer((socket) => {
      let count = 0
      socket.on('data', (chunk) => { count += chunk.length })
      socket.on('end', () => { socket.end(String(count)); server.close() })
    })
    server.listen(7400, '10.77.0.1', () => console.log('listening'))`
  const client = `
    const socket = require('node:net').connect(7400, '10.77.0.1')
    socket.on('data', (chunk) => process.stdout.write(chunk))
    socket.end(Buffer.alloc(${bytes}))`
  const argv = ['netns', 'exec', near.namespace, process.execPath, '-e', server]
  const listening = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(listening.stdout, 'data')
  return Number(await far.exec(process.execPath, '-e', client))
}

async function wireguardPid(host: TunnelHost): Promise<number> {
  return (JSON.parse(await readFile(host.recordPath, 'utf8')) as { pid: number }).pid
}

async function links(host: TunnelHost): Promise<string> {
  return host.exec('ip', '-o', 'link', 'show')
}

test(
  'two tunnels find each other and carry TCP at the MTU that was set',
  needs('root'),
  async () => {
    for (const host of hosts) host.start()
    for (const host of hosts) await host.until('up', ({ state }) => state === 'up')
    expect(await carry(3_000_000)).toBe(3_000_000)
    const shown = await near.until('told of the traffic', ({ peers }) =>
      peers.every(({ receivedBytes }) => receivedBytes > 3_000_000),
    )
    expect(shown).toMatchObject({
      interface: near.interfaceName,
      localAddress: '10.77.0.1',
      mtu: 1340,
      peers: [{ state: 'up', address: '10.77.0.2', endpoint: '198.51.100.2:51820' }],
    })
    expect(await near.exec('ip', 'link', 'show', near.interfaceName)).toMatch(
      /mtu 1340 .*qlen 1000/,
    )
  },
)

test(
  'a wireguard-go that is killed is started again, and traffic flows again',
  needs('root'),
  async () => {
    const { backend } = await near.until('up', ({ state }) => state === 'up')
    if (backend === 'kernel') return
    const pid = await wireguardPid(near)
    process.kill(pid, 'SIGKILL')
    await near.until('down', ({ state }) => state !== 'up')
    await near.until('up', ({ state }) => state === 'up')
    expect(await wireguardPid(near)).not.toBe(pid)
    expect(await carry(100_000)).toBe(100_000)
  },
)

test(
  'after a killed gateway the next one clears what was left and takes over',
  needs('root'),
  async () => {
    const { backend } = await far.until('up', ({ state }) => state === 'up')
    const leftPid = backend === 'userspace' ? await wireguardPid(far) : null
    await far.stop('SIGKILL')
    expect(await links(far)).toContain(far.interfaceName)
    far.start()
    await far.until('up', ({ state }) => state === 'up')
    if (leftPid !== null) expect(await wireguardPid(far)).not.toBe(leftPid)
    expect(await carry(100_000)).toBe(100_000)
  },
)

test(
  'an interface of somebody else is left alone, and the problem names it',
  needs('root'),
  async () => {
    await far.stop('SIGTERM')
    const other = ['peer', 'name', `lbx${id}`]
    await far.exec('ip', 'link', 'add', far.interfaceName, 'type', 'veth', ...other)
    far.start()
    const { problems } = await far.until('in trouble', (shown) => shown.problems.length > 0)
    expect(problems[0]).toMatchObject({ code: 'ERR_TUNNEL_INTERFACE', severity: 'error' })
    await far.exec('ip', 'link', 'delete', far.interfaceName)
    await far.until('up', (shown) => shown.state === 'up' && shown.problems.length === 0)
  },
)

test(
  'a second gateway with the same key leaves the interface to the one that has it',
  needs('root'),
  async () => {
    const { backend } = await near.until('up', ({ state }) => state === 'up')
    const pid = backend === 'userspace' ? await wireguardPid(near) : null
    const twin = new PairHost(0, 'twin')
    twin.start()
    const { problems } = await twin.until('refused', (shown) => shown.problems.length > 0)
    expect(problems[0]).toMatchObject({ code: 'ERR_TUNNEL_INTERFACE' })
    expect(await carry(100_000)).toBe(100_000)
    if (pid !== null) expect(await wireguardPid(near)).toBe(pid)
    await near.stop('SIGTERM')
    await twin.until('up', (shown) => shown.state === 'up' && shown.problems.length === 0)
    await twin.stop('SIGTERM')
    near.start()
  },
)

test(
  'a gateway whose interface is in use in another namespace leaves it alone, and ends when told to',
  needs('root'),
  async () => {
    const { backend } = await near.until('up', ({ state }) => state === 'up')
    if (backend === 'kernel') return
    const stranger = new PairHost(0, 'stranger', 3)
    await run('ip', ['netns', 'add', stranger.namespace])
    stranger.start()
    const { problems } = await stranger.until('refused', (shown) => shown.problems.length > 0)
    expect(problems[0]).toMatchObject({ code: 'ERR_TUNNEL_INTERFACE' })
    expect(await carry(100_000)).toBe(100_000)
    const child = stranger.process
    const stopped = stranger.stop('SIGTERM').then(() => true)
    const isOver = await Promise.race([stopped, sleep(10_000, false)])
    if (!isOver) child?.kill('SIGKILL')
    expect(isOver).toBe(true)
  },
)

/** Somebody who answers on these ports of every address of the host. */
async function listenOn(namespace: string, ports: readonly number[]): Promise<void> {
  const server = `
    let waiting = ${ports.length}
    for (const port of [${ports}]) require('node:net').createServer((socket) => socket.end())
      .listen(port, '::', () => { waiting -= 1; if (waiting === 0) console.log('listening') })`
  const argv = ['netns', 'exec', namespace, process.execPath, '-e', server]
  const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  listeners.push(child)
  await once(child.stdout, 'data')
}

async function restart(...which: readonly TunnelHost[]): Promise<void> {
  for (const host of which) await host.stop('SIGTERM')
  for (const host of which) host.start()
  for (const host of hosts) await host.until('up', ({ state }) => state === 'up')
}

test.each([{ family: 4 }, { family: 6 }] as const)(
  'the peer finds the link, a port that was allowed, and nothing else (IPv$family)',
  needs('root'),
  async ({ family }) => {
    if (listeners.length === 0) await listenOn(near.namespace, [22, 7400, 9100])
    for (const host of hosts) host.family = family
    near.policy = { ...near.policy, accept: [{ protocol: 'tcp', port: 7400 }] }
    await restart(...hosts)
    expect(await far.reaches(near.address, 7400, 10)).toBe(true)
    expect(await far.reaches(near.address, 22, 1)).toBe(false)
    expect(await far.reaches(near.address, 9100, 1)).toBe(false)
    // What was dropped is counted, and the rules that are compared know no counters.
    const list = ['nft', '--stateless', 'list', 'table', 'inet', tunnelTable(near.interfaceName)]
    const rules = await near.exec(...list)
    expect(await near.exec(...list.filter((word) => word !== '--stateless'))).not.toBe(rules)
    near.policy = { ...near.policy, accept: [{ protocol: 'tcp', port: 9100 }] }
    await restart(near)
    expect(await far.reaches(near.address, 9100, 10)).toBe(true)
    expect(await far.reaches(near.address, 7400, 1)).toBe(false)
    expect(near.shown?.firewall).toEqual({ inPlace: true, accepts: ['tcp/9100'], forwards: false })
  },
)

test(
  'nobody behind a gateway is reached through the tunnel, unless that is asked for',
  needs('root'),
  async () => {
    for (const host of hosts) host.family = 4
    await run('ip', ['netns', 'add', behind])
    const peer = ['peer', 'name', 'eth0', 'netns', behind]
    await near.exec('ip', 'link', 'add', 'lan', 'type', 'veth', ...peer)
    await near.exec('ip', 'address', 'add', '203.0.113.1/24', 'dev', 'lan')
    await near.exec('ip', 'link', 'set', 'lan', 'up')
    await near.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    await run('ip', ['-n', behind, 'address', 'add', '203.0.113.2/24', 'dev', 'eth0'])
    await run('ip', ['-n', behind, 'link', 'set', 'eth0', 'up'])
    await run('ip', ['-n', behind, 'route', 'add', 'default', 'via', '203.0.113.1'])
    await listenOn(behind, [22])
    await restart(...hosts)
    // What a hostile peer sets on its own side: its routes are its own business.
    const allowed = ['allowed-ips', '10.77.0.1/32,203.0.113.0/24']
    await far.exec('wg', 'set', far.interfaceName, 'peer', keys[0].publicKey, ...allowed)
    await far.exec('ip', 'route', 'add', '203.0.113.0/24', 'dev', far.interfaceName)
    expect(await far.reaches('203.0.113.2', 22, 1)).toBe(false)
    // The gateway's own other address, where its ssh answers.
    expect(await far.reaches('203.0.113.1', 22, 1)).toBe(false)
    near.policy = { ...near.policy, forward: true }
    await restart(near)
    expect(await far.reaches('203.0.113.2', 22, 10)).toBe(true)
    expect(await far.reaches('203.0.113.1', 22, 1)).toBe(false)
  },
)

test(
  'a stopped tunnel leaves no interface, socket, process, note or rule behind',
  needs('root'),
  async () => {
    const pids: number[] = []
    for (const host of hosts) {
      const { backend } = await host.until('up', ({ state }) => state === 'up')
      if (backend === 'userspace') pids.push(await wireguardPid(host))
      await host.stop('SIGTERM')
      expect(await links(host)).not.toContain(host.interfaceName)
      expect(existsSync(`/var/run/wireguard/${host.interfaceName}.sock`)).toBe(false)
      expect(existsSync(host.recordPath)).toBe(false)
      const rules = await host.exec('nft', 'list', 'ruleset').catch(() => '')
      expect(rules).not.toContain('landbridge')
    }
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false)
  },
)
