import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Log, silentLog } from '../../../src/base/log.ts'
import { ExternalTunnel } from '../../../src/tunnel/external-tunnel.ts'
import type { ProcessRunner } from '../../../src/tunnel/process-runner.ts'
import type { Tunnel } from '../../../src/tunnel/tunnel.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'
import { scriptedTunnel, until } from '../../helpers/tunnel/scripted-tunnel.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function tunnelWith(
  runner: ProcessRunner,
  clock: FakeClock,
  log: Log = silentLog,
): Promise<Tunnel> {
  const dataDir = await mkdtemp(join(tmpdir(), 'landbridge-unit-'))
  folders.push(dataDir)
  return scriptedTunnel(runner, clock, { log, dataDir })
}

const healthy = (clock: FakeClock) => ({
  'ip -j -d link show': '[]',
  'wg show lbunit0 latest-handshakes': `PEER=\t${Math.floor(clock.wallMs() / 1000)}\n`,
  'wg show lbunit0 transfer': 'PEER=\t10\t20\n',
  'wg show lbunit0 endpoints': 'PEER=\t198.51.100.2:51820\n',
})

test('comes up, tells of the peer, and takes everything away again', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(healthy(clock))
  const tunnel = await tunnelWith(runner, clock)
  const down = { name: 'azure', state: 'down', handshakeAgeMs: null }
  expect(tunnel.status()).toMatchObject({ state: 'down', peers: [down] })
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.status().state === 'up')
  await tunnel.ready(stopping.signal)
  expect(tunnel.status()).toMatchObject({
    backend: 'kernel',
    interface: 'lbunit0',
    mtu: 1340,
    peers: [
      {
        name: 'azure',
        state: 'up',
        address: '10.77.0.2',
        endpoint: '198.51.100.2:51820',
        receivedBytes: 10,
        sentBytes: 20,
      },
    ],
  })
  expect(tunnel.problems()).toEqual([])
  stopping.abort()
  await running
  expect(runner.calls).toContain('ip link delete dev lbunit0')
  expect(tunnel.status()).toMatchObject({
    state: 'down',
    peers: [{ state: 'down', receivedBytes: 0, endpoint: null }],
  })
})

test('stays up where nothing can be written into the data directory, and says so', async () => {
  const clock = new FakeClock()
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-unit-'))
  folders.push(folder)
  // A folder is where the new content would be written.
  await mkdir(join(folder, `tunnel-lbunit0.endpoint.${process.pid}.tmp`))
  const runner = new ScriptedRunner(healthy(clock))
  const tunnel = scriptedTunnel(runner, clock, { dataDir: folder })
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.problems().length > 0)
  const startMs = clock.monotonicMs()
  await until(clock, () => clock.monotonicMs() - startMs > 5_000)
  expect(tunnel.status().state).toBe('up')
  expect(tunnel.problems()).toMatchObject([
    {
      code: 'ERR_TUNNEL_NOTE',
      severity: 'warning',
      message: expect.stringContaining('cannot note'),
    },
  ])
  expect(runner.calls.filter((call) => call.startsWith('ip link add'))).toHaveLength(1)
  stopping.abort()
  await running
})

test('asks for the name again when the handshake grows old', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(healthy(clock))
  const tunnel = await tunnelWith(runner, clock)
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.status().state === 'up')
  const moves = () => runner.calls.filter((call) => / peer PEER= endpoint 198/.test(call))
  const [first] = moves()
  expect(first).toContain('endpoint 198.51.100.2:51820')
  await until(clock, () => moves().some((call) => call.endsWith('198.51.100.3:51820')))
  expect(tunnel.status().peers[0]?.handshakeAgeMs).toBeGreaterThan(135_000)
  stopping.abort()
  await running
})

test('reports what keeps it down, goes on trying, and forgets it when it is up', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner({ ...healthy(clock), 'ip link add': commandFailed() })
  const told: object[] = []
  const log: Log = { ...silentLog, warn: (fields) => void told.push(fields) }
  const tunnel = await tunnelWith(runner, clock, log)
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  const attempts = () => runner.calls.filter((call) => call.startsWith('ip link add')).length
  await until(clock, () => attempts() >= 3)
  const known = {
    code: 'ERR_TUNNEL_NO_KERNEL',
    remedy: 'load the module with `modprobe wireguard`, or set tunnel.backend: userspace',
  }
  expect(tunnel.problems()[0]).toMatchObject({ ...known, severity: 'error', where: 'tunnel' })
  expect(told).toEqual([known])
  runner.answer('ip link add', '')
  await until(clock, () => tunnel.status().state === 'up')
  expect(tunnel.problems()).toEqual([])
  stopping.abort()
  await running
})

test('has its rules before the interface is up, and removes them after it', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(healthy(clock))
  const tunnel = await tunnelWith(runner, clock)
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.status().state === 'up')
  expect(runner.inputs[0]).toContain('iifname != "lbunit0" return')
  const at = (prefix: string) => runner.calls.findIndex((call) => call.startsWith(prefix))
  expect(at('nft -f')).toBeGreaterThan(at('ip link add'))
  expect(at('nft -f')).toBeLessThan(at('ip address'))
  expect(tunnel.status().firewall).toEqual({
    inPlace: true,
    accepts: ['tcp/7400'],
    forwards: false,
  })
  stopping.abort()
  await running
  expect(runner.calls.slice(-2)).toEqual(['ip link delete dev lbunit0', 'nft -f -'])
  expect(runner.inputs.at(-1)).toBe(
    'add table inet landbridge_lbunit0\ndelete table inet landbridge_lbunit0\n',
  )
})

test.each([
  { why: 'nft is missing', answers: {}, missing: ['nft'] },
  { why: 'the kernel refuses', answers: { 'nft -f': commandFailed() }, missing: [] },
])('does not come up open when $why', async ({ answers, missing }) => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner({ ...healthy(clock), ...answers }, missing)
  const tunnel = await tunnelWith(runner, clock)
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.problems().length > 0)
  expect(tunnel.problems()).toMatchObject([
    { code: 'ERR_TUNNEL_FIREWALL', severity: 'error', remedy: expect.stringContaining('nftables') },
  ])
  expect(tunnel.status()).toMatchObject({ state: 'down', firewall: { inPlace: false } })
  stopping.abort()
  await running
  expect(runner.calls).not.toContainEqual(expect.stringMatching(/^ip (address|route)| up$/))
  expect(runner.calls).toContain('ip link delete dev lbunit0')
})

test('sets its rules again when somebody removed or changed them', async () => {
  const clock = new FakeClock()
  const list = 'nft --stateless list'
  const runner = new ScriptedRunner({ ...healthy(clock), [list]: 'as set' })
  const told: object[] = []
  const log: Log = { ...silentLog, warn: (fields) => void told.push(fields) }
  const tunnel = await tunnelWith(runner, clock, log)
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.status().state === 'up')
  const set = () => runner.inputs.filter((input) => input.includes('chain input')).length
  expect(set()).toBe(1)
  runner.answer(list, 'as changed')
  await until(clock, () => set() === 2)
  runner.answer(list, commandFailed('no such table'))
  await until(clock, () => set() === 3)
  expect(told).toMatchObject([{ code: 'ERR_TUNNEL_FIREWALL' }, { code: 'ERR_TUNNEL_FIREWALL' }])
  stopping.abort()
  await running
})

test('tells when segments are not clamped, and is up nevertheless', async () => {
  const clock = new FakeClock()
  const runner = new ScriptedRunner(healthy(clock))
  const refusing = {
    find: (program: string) => runner.find(program),
    run: async (...[program, args, options]: Parameters<ScriptedRunner['run']>) => {
      if (options?.stdin?.includes('maxseg')) throw commandFailed()
      return runner.run(program, args, options)
    },
  }
  const tunnel = await tunnelWith(refusing, clock)
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  await until(clock, () => tunnel.status().state === 'up')
  expect(tunnel.problems()).toMatchObject([
    { code: 'ERR_TUNNEL_CLAMP', severity: 'warning', remedy: expect.stringMatching(/\w/) },
  ])
  stopping.abort()
  await running
})

test('waiting for a tunnel ends with the signal', async () => {
  const tunnel = await tunnelWith(new ScriptedRunner({}), new FakeClock())
  await expect(tunnel.ready(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
})

test('an external tunnel is only told of', async () => {
  const peers = [
    { name: 'azure', address: '10.2.0.1' },
    { name: 'gcp', address: '10.3.0.1' },
  ]
  const tunnel = new ExternalTunnel({ localAddress: '10.1.0.1', peers })
  await tunnel.ready()
  expect(tunnel.status()).toMatchObject({
    state: 'external',
    peers: peers.map((peer) => ({ ...peer, state: 'external' })),
  })
  const stopping = new AbortController()
  const running = tunnel.run(stopping.signal)
  stopping.abort()
  await running
})
