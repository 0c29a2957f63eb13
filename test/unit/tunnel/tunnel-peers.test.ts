import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Log, silentLog } from '../../../src/base/log.ts'
import type { TunnelPeerStatus } from '../../../src/status/status.ts'
import type { Tunnel, TunnelOptions } from '../../../src/tunnel/tunnel.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'
import { scriptedTunnel, until } from '../../helpers/tunnel/scripted-tunnel.ts'
import { threeSettings } from '../../helpers/tunnel/tunnel-fixture.ts'

/*
 * One interface and two peers: `azure`, which has an endpoint, and `gcp`, which comes to us. What
 * befalls one of them must not touch the other.
 */

/** Interfaces are claimed, also from a test beside this one. */
const three = { ...threeSettings, interfaceName: 'lbunit1' }

let dataDir: string
const stopping: AbortController[] = []
const running: Promise<void>[] = []
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'landbridge-unit-'))
})
afterEach(async () => {
  for (const one of stopping.splice(0)) one.abort()
  await Promise.all(running.splice(0))
  await rm(dataDir, { recursive: true })
})

const seconds = (clock: FakeClock) => Math.floor(clock.wallMs() / 1000)
const LATEST = 'wg show lbunit1 latest-handshakes'
const TRANSFER = 'wg show lbunit1 transfer'

/** The first peer is heard, the second never was. */
function halfUp(clock: FakeClock): Record<string, string> {
  return {
    'ip -j -d link show': '[]',
    [LATEST]: `PEER=\t${seconds(clock)}\nTHIRD=\t0\n`,
    [TRANSFER]: 'PEER=\t10\t20\nTHIRD=\t0\t0\n',
    'wg show lbunit1 endpoints': 'PEER=\t198.51.100.2:51820\nTHIRD=\t(none)\n',
  }
}

function start(
  runner: ScriptedRunner,
  clock: FakeClock,
  given: Partial<TunnelOptions> = {},
): Tunnel {
  const tunnel = scriptedTunnel(runner, clock, { settings: three, dataDir, ...given })
  const stop = new AbortController()
  stopping.push(stop)
  running.push(tunnel.run(stop.signal))
  return tunnel
}

function peerOf(tunnel: Tunnel, name: string): TunnelPeerStatus | undefined {
  return tunnel.status().peers.find((peer) => peer.name === name)
}

test('each peer has a state of its own, and the tunnel the worst of them', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(halfUp(clock))
  const told: unknown[] = []
  const log: Log = { ...silentLog, info: (_fields, message) => void told.push(message) }
  const tunnel = start(runner, clock, { log })
  expect(tunnel.status()).toMatchObject({
    state: 'down',
    peers: [{ state: 'down' }, { state: 'down' }],
  })
  await until(clock, () => peerOf(tunnel, 'azure')?.state === 'up')
  expect(tunnel.status()).toMatchObject({
    state: 'never',
    peers: [
      { name: 'azure', receivedBytes: 10, endpoint: '198.51.100.2:51820' },
      { name: 'gcp', state: 'never', receivedBytes: 0, endpoint: null, heardAgoMs: null },
    ],
  })
  const both = `PEER=\t${seconds(clock)}\nTHIRD=\t${seconds(clock)}\n`
  runner.answer(LATEST, both)
  await until(clock, () => tunnel.status().state === 'up')
  expect(told.slice(1)).toEqual(['tunnel lbunit1 to azure: up', 'tunnel lbunit1 to gcp: up'])
  // Data that nobody answers: the slower keepalive of the other one is nothing to it.
  runner.answer(TRANSFER, 'PEER=\t10\t20\nTHIRD=\t0\t999\n')
  await until(clock, () => tunnel.status().state === 'stale')
  expect(peerOf(tunnel, 'azure')).toMatchObject({ state: 'up' })
  expect(peerOf(tunnel, 'gcp')).toMatchObject({ state: 'stale' })
})

test('only the peer whose handshake is old is looked for elsewhere', async () => {
  const clock = new FakeClock()
  const endpoints = [{ host: 'gcp.example', port: 51_820 }]
  const [azure, gcp] = three.peers
  const settings = { ...three, peers: [azure, { ...gcp, endpoints }] }
  const runner = new ScriptedRunner(halfUp(clock))
  const tunnel = start(runner, clock, { settings })
  const moves = () => runner.calls.filter((call) => / peer \S+ endpoint \S+$/.test(call))
  await until(clock, () => {
    // Somebody is heard all the time.
    runner.answer(LATEST, `PEER=\t${seconds(clock)}\nTHIRD=\t0\n`)
    return moves().length >= 3
  })
  expect(peerOf(tunnel, 'azure')?.state).toBe('up')
  for (const move of moves()) expect(move).toMatch(/^wg set lbunit1 peer THIRD= endpoint /)
  expect(new Set(moves())).toHaveLength(2)
  expect(runner.calls.filter((call) => call.startsWith('ip link add'))).toHaveLength(1)
})

test('a name service that never answers for one peer holds up nobody', async () => {
  const clock = new FakeClock()
  const endpoints = [{ host: 'slow.example', port: 51_820 }]
  const [azure, gcp] = three.peers
  const settings = { ...three, peers: [azure, { ...gcp, endpoints }] }
  const late = Promise.withResolvers<string[]>()
  const lookup = (host: string) =>
    host === 'slow.example' ? late.promise : Promise.resolve(['198.51.100.2'])
  const runner = new ScriptedRunner(halfUp(clock))
  const tunnel = start(runner, clock, { settings, lookup })
  await until(clock, () => peerOf(tunnel, 'azure')?.state === 'up')
  const set = runner.calls.find((call) => call.startsWith('wg set lbunit1 peer'))
  expect(set).toMatch(/peer PEER= endpoint 198\.51\.100\.2:51820 .* peer THIRD= persistent/)
  const reads = () => runner.calls.filter((call) => call === TRANSFER).length
  const before = reads()
  await until(clock, () => reads() > before + 20)
  late.resolve(['198.51.100.9'])
  const moved = 'wg set lbunit1 peer THIRD= endpoint 198.51.100.9:51820'
  await until(clock, () => runner.calls.includes(moved))
})

test('an address that cannot be set is told of its peer, and the tunnel goes on', async () => {
  const clock = new FakeClock()
  const endpoints = [{ host: '2001:db8::3', port: 51_820 }]
  const [azure, gcp] = three.peers
  const settings = { ...three, peers: [azure, { ...gcp, endpoints }] }
  const runner = new ScriptedRunner({
    ...halfUp(clock),
    'wg set lbunit1 peer THIRD=': commandFailed('no IPv6 here'),
  })
  const told: object[] = []
  const log: Log = { ...silentLog, warn: (fields) => void told.push(fields) }
  const tunnel = start(runner, clock, { settings, log })
  await until(clock, () => tunnel.problems().length > 0)
  const startMs = clock.monotonicMs()
  await until(clock, () => clock.monotonicMs() - startMs > 30_000)
  expect(tunnel.problems()).toMatchObject([
    {
      code: 'ERR_TUNNEL_ENDPOINT',
      severity: 'warning',
      where: 'tunnel:gcp',
      message: '[2001:db8::3]:51820 cannot be set: no IPv6 here',
    },
  ])
  expect(told).toHaveLength(1)
  expect(peerOf(tunnel, 'azure')?.state).toBe('up')
  expect(runner.calls.filter((call) => call.startsWith('ip link add'))).toHaveLength(1)
})

test('each peer starts where it was heard last, when nothing better is known', async () => {
  const clock = new FakeClock()
  const note = join(dataDir, 'tunnel-lbunit1.endpoint')
  await writeFile(note, 'PEER=\t192.0.2.1:1\nTHIRD=\t192.0.2.3:3\nGONE=\t192.0.2.4:4\n')
  const runner = new ScriptedRunner({
    ...halfUp(clock),
    [LATEST]: `PEER=\t${seconds(clock)}\nTHIRD=\t${seconds(clock)}\n`,
    'wg show lbunit1 endpoints': 'PEER=\t198.51.100.7:7\nTHIRD=\t198.51.100.3:51820\n',
  })
  const tunnel = start(runner, clock)
  await until(clock, () => tunnel.status().state === 'up')
  const set = runner.calls.find((call) => call.startsWith('wg set lbunit1 peer'))
  expect(set).toMatch(/PEER= endpoint 198\.51\.100\.2:51820 .*THIRD= endpoint 192\.0\.2\.3:3 /)
  const noted = 'PEER=\t198.51.100.7:7\nTHIRD=\t198.51.100.3:51820\n'
  await expect.poll(() => readFile(note, 'utf8')).toBe(noted)
})

test('a peer that somebody removed from the interface is given back to it', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(halfUp(clock))
  const tunnel = start(runner, clock)
  await until(clock, () => peerOf(tunnel, 'azure')?.state === 'up')
  runner.answer(LATEST, `PEER=\t${seconds(clock)}\n`)
  await until(clock, () => tunnel.problems().length > 0)
  expect(tunnel.problems()).toMatchObject([
    { code: 'ERR_TUNNEL_PEERS', severity: 'error', where: 'tunnel' },
  ])
  runner.answer(LATEST, `PEER=\t${seconds(clock)}\nTHIRD=\t0\n`)
  await until(clock, () => peerOf(tunnel, 'azure')?.state === 'up')
  expect(tunnel.problems()).toEqual([])
  expect(runner.calls.filter((call) => call.startsWith('ip link add')).length).toBeGreaterThan(1)
})

test('is not even begun with two peers that cannot be told apart', () => {
  const [azure, gcp] = three.peers
  const peers = [azure, { ...gcp, publicKey: azure.publicKey }]
  const settings = { ...three, peers }
  const make = () => scriptedTunnel(new ScriptedRunner({}), new FakeClock(), { settings, dataDir })
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_TUNNEL_PEERS' }))
})

test('its rules let in the peers, by their addresses', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(halfUp(clock))
  const tunnel = start(runner, clock)
  await until(clock, () => tunnel.status().state !== 'down')
  expect(runner.inputs[0]).toContain(
    'ip saddr { 10.77.0.2, 10.77.0.3 } ip daddr 10.77.0.1 tcp dport 7400 accept',
  )
})
