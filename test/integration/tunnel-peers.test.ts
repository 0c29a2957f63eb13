import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateWireguardKeyPair } from '../../src/base/wireguard-key.ts'
import { sidProgram } from '../../src/lab/servers/machine-cache.ts'
import type { TunnelPeerStatus } from '../../src/status/status.ts'
import { tunnelTable } from '../../src/tunnel/firewall.ts'
import { kernelHasWireguard } from '../../src/tunnel/kernel-support.ts'
import { needs } from '../helpers/needs.ts'
import { type ShownTunnel, TunnelHost } from '../helpers/tunnel/tunnel-host.ts'
import type { TunnelProcessOptions } from '../helpers/tunnel/tunnel-process.ts'
import { echoes, UdpEcho, UdpPulse } from '../helpers/tunnel/udp-echo.ts'

/*
 * Three gateways at one network, each with one interface and the two others as its peers. `a` and
 * `b` know where all are; `c` knows of nobody and is found.
 */

const run = promisify(execFile)
const userspaceArgv = sidProgram('usr/bin/wireguard-go') ?? ['wireguard-go']
const folder = await mkdtemp(join(tmpdir(), 'landbridge-peers-'))
const isReal = await kernelHasWireguard()
/** Where `c` is, and where it moves to. */
const PLACES_OF_C = ['198.51.100.3', '198.51.100.13'] as const

afterAll(() => rm(folder, { recursive: true }))

type Backend = 'kernel' | 'userspace'
type Name = 'a' | 'b' | 'c'

class Site extends TunnelHost {
  readonly #site: Name
  readonly #network: Network
  readonly keys = generateWireguardKeyPair()
  /** Inside the tunnel. */
  readonly address: string
  /** What the next start takes. */
  peers: readonly Name[]

  constructor(network: Network, site: Name) {
    super({
      namespace: `${network.id}-${site}`,
      interfaceName: `${network.id.replace('-', '')}${site}`,
      dataDir: join(folder, `${network.id}-${site}`),
    })
    this.#network = network
    this.#site = site
    this.address = { a: '10.77.0.1', b: '10.77.0.2', c: '10.77.0.3' }[site]
    this.peers = (['a', 'b', 'c'] as const).filter((other) => other !== site)
  }

  protected options(): TunnelProcessOptions {
    const { backend, sites } = this.#network
    const hosts = { a: ['198.51.100.1'], b: ['198.51.100.2'], c: PLACES_OF_C }
    return {
      settings: {
        interfaceName: this.interfaceName,
        listenPort: 51_820,
        mtuBytes: 1340,
        address: this.address,
        prefixLength: 29,
        peers: this.peers.map((name) => ({
          name,
          publicKey: sites[name].keys.publicKey,
          tunnelAddress: sites[name].address,
          keepaliveMs: 1000,
          endpoints: this.#site === 'c' ? [] : hosts[name].map((host) => ({ host, port: 51_820 })),
        })),
      },
      privateKey: this.keys.privateKey.reveal(),
      publicKey: this.keys.publicKey,
      firewall: { accept: [{ protocol: 'udp', port: 9999 }], forward: false },
      backend,
      userspaceArgv,
      dataDir: this.dataDir,
      playsKernel: this.#network.isPlayed,
    }
  }

  /** Whose keys the interface has, also when nobody keeps it. */
  async keysOfPeers(): Promise<string[]> {
    const shown = await this.exec('wg', 'show', this.interfaceName, 'peers')
    return shown.trim().split('\n').sort()
  }
}

class Network {
  readonly id = `lbp${randomBytes(2).toString('hex')}`
  readonly backend: Backend
  readonly sites: Readonly<Record<Name, Site>>

  constructor(backend: Backend) {
    this.backend = backend
    this.sites = { a: new Site(this, 'a'), b: new Site(this, 'b'), c: new Site(this, 'c') }
  }

  /** Whether the kernel's interfaces are taken from wireguard-go. */
  get isPlayed(): boolean {
    return this.backend === 'kernel' && !isReal
  }

  get all(): readonly Site[] {
    return Object.values(this.sites)
  }

  async make(): Promise<void> {
    const wan = `${this.id}-w`
    await run('ip', ['netns', 'add', wan])
    await run('ip', ['-n', wan, 'link', 'add', 'br0', 'type', 'bridge'])
    await run('ip', ['-n', wan, 'link', 'set', 'br0', 'up'])
    for (const [index, { namespace }] of this.all.entries()) {
      await run('ip', ['netns', 'add', namespace])
      const wire = ['link', 'add', `to${index}`, 'type', 'veth']
      await run('ip', ['-n', wan, ...wire, 'peer', 'name', 'eth0', 'netns', namespace])
      await run('ip', ['-n', wan, 'link', 'set', `to${index}`, 'master', 'br0', 'up'])
      const outer = `198.51.100.${index + 1}/24`
      await run('ip', ['-n', namespace, 'address', 'add', outer, 'dev', 'eth0'])
      for (const link of ['eth0', 'lo'])
        await run('ip', ['-n', namespace, 'link', 'set', link, 'up'])
    }
  }

  async remove(): Promise<void> {
    for (const site of this.all) await site.stop('SIGTERM')
    const namespaces = (await run('ip', ['netns', 'list'])).stdout.split('\n')
    for (const line of namespaces) {
      const [name = ''] = line.split(' ')
      if (name.startsWith(`${this.id}-`)) await run('ip', ['netns', 'delete', name])
    }
  }
}

const isUp = ({ state }: ShownTunnel): boolean => state === 'up'
const peerOf = ({ peers }: ShownTunnel, name: Name): TunnelPeerStatus | undefined =>
  peers.find((peer) => peer.name === name)

describe.each(['userspace', 'kernel'] as const)(
  'three gateways with one interface each (%s)',
  needs('root'),
  (backend) => {
    const network = new Network(backend)
    const { a, b, c } = network.sites
    const echoed: UdpEcho[] = []

    beforeAll(async () => {
      await network.make()
      for (const site of network.all) site.start()
      for (const site of network.all) await site.until('up', isUp)
      for (const site of network.all) echoed.push(await UdpEcho.start(site.namespace))
    })
    afterAll(async () => {
      for (const echo of echoed) await echo[Symbol.asyncDispose]()
      await network.remove()
    })

    test('all reach all, and are told apart', async () => {
      for (const from of network.all) {
        for (const to of network.all) {
          if (from === to) continue
          expect(await echoes(from.namespace, to.address, { count: 5 })).toBe(5)
        }
      }
      const { peers } = await a.until('up', isUp)
      expect(peers).toMatchObject([
        { name: 'b', state: 'up', address: '10.77.0.2', endpoint: '198.51.100.2:51820' },
        { name: 'c', state: 'up', address: '10.77.0.3', endpoint: '198.51.100.3:51820' },
      ])
      const shown = await c.until('up', isUp)
      expect(shown).toMatchObject({ backend, interface: c.interfaceName, mtu: 1340 })
      expect(shown.problems).toEqual([])
    })

    test('nobody speaks with the address of another', async () => {
      const [heardByA] = echoed
      heardByA?.senders.clear()
      // Its own routes and addresses are its own business.
      await c.exec('ip', 'address', 'add', `${b.address}/32`, 'dev', 'lo')
      expect(await echoes(c.namespace, a.address, { count: 3, source: b.address })).toBe(0)
      expect(await echoes(c.namespace, a.address, { count: 3, source: c.address })).toBe(3)
      expect([...(heardByA?.senders ?? [])]).toEqual([c.address])
      await c.exec('ip', 'address', 'delete', `${b.address}/32`, 'dev', 'lo')
      expect(await echoes(b.namespace, a.address)).toBe(1)
      expect(heardByA?.senders).toContain(b.address)
    })

    test('one of them moves, is found, and the two others lose nothing', async () => {
      await using pulse = new UdpPulse(a.namespace, b.address)
      // Who has data for a peer that does not answer asks it for a new session.
      await using _fromA = new UdpPulse(a.namespace, c.address)
      await using _fromB = new UdpPulse(b.namespace, c.address)
      await c.stop('SIGTERM')
      // It forgets all, so that it cannot say itself where it is now.
      await rm(c.dataDir, { recursive: true, force: true })
      const [before, after] = PLACES_OF_C
      await c.exec('ip', 'address', 'delete', `${before}/24`, 'dev', 'eth0')
      await c.exec('ip', 'address', 'add', `${after}/24`, 'dev', 'eth0')
      c.start()
      for (const site of [a, b]) {
        const away = await site.until('without c', (shown) => peerOf(shown, 'c')?.state === 'stale')
        expect(peerOf(away, site === a ? 'b' : 'a')?.state).toBe('up')
      }
      for (const site of [a, b]) {
        const found = await site.until('up', isUp)
        expect(peerOf(found, 'c')?.endpoint).toBe(`${after}:51820`)
      }
      expect(await echoes(c.namespace, a.address)).toBe(1)
      const { sent, heard } = await pulse.stop()
      expect(sent).toBeGreaterThan(200)
      expect(heard).toBe(sent)
    })

    test('a peer that was removed from the configuration is gone after a crash', async () => {
      const keyOf = (site: Site) => site.keys.publicKey
      expect(await a.keysOfPeers()).toEqual([b, c].map(keyOf).sort())
      if (network.isPlayed) {
        // What a kernel leaves has no process and no socket.
        await a.stop('SIGTERM')
      } else {
        await a.stop('SIGKILL')
        expect(await a.keysOfPeers()).toEqual([b, c].map(keyOf).sort())
      }
      a.peers = ['b']
      a.start()
      const { peers } = await a.until('up', isUp)
      expect(peers.map(({ name }) => name)).toEqual(['b'])
      expect(await a.keysOfPeers()).toEqual([keyOf(b)])
      const routes = await a.exec('ip', 'route', 'show', 'dev', a.interfaceName)
      expect(routes).toContain(b.address)
      expect(routes).not.toContain(c.address)
      const rules = await a.exec('nft', 'list', 'table', 'inet', tunnelTable(a.interfaceName))
      expect(rules).toContain(b.address)
      expect(rules).not.toContain(c.address)
      await expect.poll(() => echoes(b.namespace, a.address)).toBe(1)
      expect(await echoes(c.namespace, a.address)).toBe(0)
      expect(await echoes(c.namespace, b.address)).toBe(1)
    })
  },
)
