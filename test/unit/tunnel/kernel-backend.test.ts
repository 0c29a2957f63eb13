import { expect, test } from 'vitest'
import { Secret } from '../../../src/base/secret.ts'
import { KernelBackend } from '../../../src/tunnel/kernel-backend.ts'
import type { TunnelSettings } from '../../../src/tunnel/tunnel-backend.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'
import { threeSettings, tunnelSettings } from '../../helpers/tunnel/tunnel-fixture.ts'

const LINKS = 'ip -j -d link show'
const none = { [LINKS]: '[]' }
const link = (kind: string) => ({
  [LINKS]: JSON.stringify([{ ifname: 'lb0', linkinfo: { info_kind: kind } }]),
})

function backendWith(runner: ScriptedRunner, settings: TunnelSettings = tunnelSettings) {
  return new KernelBackend({
    runner,
    publicKey: 'OWN=',
    settings: { ...settings, interfaceName: 'lb0' },
  })
}

test('makes the interface in a fixed order, the key on stdin and nowhere else', async () => {
  const runner = new ScriptedRunner(none)
  const backend = backendWith(runner)
  await backend.create()
  await backend.configure(new Secret('PRIVATE='), new Map([['PEER=', '198.51.100.2:51820']]))
  await backend.destroy()
  await backend.destroy()
  expect(runner.calls).toEqual([
    LINKS,
    'ip link add dev lb0 type wireguard',
    'wg set lb0 listen-port 51820 private-key /dev/stdin',
    'wg set lb0 peer PEER= endpoint 198.51.100.2:51820 persistent-keepalive 25 ' +
      'allowed-ips 10.77.0.2/32',
    'ip address replace 10.77.0.1/30 dev lb0',
    'ip link set dev lb0 mtu 1340 txqueuelen 1000 up',
    'ip route replace 10.77.0.2/32 dev lb0 src 10.77.0.1',
    'ip link delete dev lb0',
  ])
  expect(runner.inputs).toEqual(['PRIVATE=\n'])
  expect(runner.calls.join()).not.toContain('PRIVATE')
})

test('an interface of ours that a crash left is replaced', async () => {
  for (const shown of ['OWN=\n', '(none)\n']) {
    const runner = new ScriptedRunner({ ...link('wireguard'), 'wg show lb0 public-key': shown })
    await backendWith(runner).create()
    expect(runner.calls.slice(-2)).toEqual([
      'ip link delete dev lb0',
      'ip link add dev lb0 type wireguard',
    ])
  }
})

test("somebody else's interface is not touched", async () => {
  for (const answers of [
    { ...link('wireguard'), 'wg show lb0 public-key': 'OTHER=\n' },
    link('bridge'),
  ]) {
    const runner = new ScriptedRunner(answers)
    const backend = backendWith(runner)
    await expect(backend.create()).rejects.toMatchObject({ code: 'ERR_TUNNEL_INTERFACE' })
    await backend.destroy()
    expect(runner.calls.join()).not.toMatch(/delete|add/)
  }
})

test('a kernel without WireGuard and a machine without wg are told apart', async () => {
  const noModule = new ScriptedRunner({ ...none, 'ip link add': commandFailed() })
  await expect(backendWith(noModule).create()).rejects.toMatchObject({
    code: 'ERR_TUNNEL_NO_KERNEL',
  })
  const noTool = new ScriptedRunner(none, ['wg'])
  await expect(backendWith(noTool).create()).rejects.toMatchObject({ code: 'ERR_TUNNEL_TOOL' })
})

test('reads handshake and traffic without ever asking for keys', async () => {
  const runner = new ScriptedRunner({
    'wg show lb0 latest-handshakes': 'OTHER=\t5\nPEER=\t1700000000\n',
    'wg show lb0 transfer': 'PEER=\t10\t20\n',
    'wg show lb0 endpoints': 'PEER=\t198.51.100.2:51820\n',
  })
  const backend = backendWith(runner)
  const reading = {
    handshakeAtMs: 1_700_000_000_000,
    receivedBytes: 10,
    sentBytes: 20,
    endpoint: '198.51.100.2:51820',
  }
  const peer = async () => (await backend.read()).get('PEER=')
  for (let readings = 0; readings < 5; readings += 1) expect(await peer()).toEqual(reading)
  expect(runner.calls.filter((call) => call.endsWith('endpoints'))).toHaveLength(1)
  expect(runner.calls.join()).not.toMatch(/dump|private/)
  runner.answer('wg show lb0 latest-handshakes', 'PEER=\t0\n')
  expect(await peer()).toMatchObject({ handshakeAtMs: null })
  runner.answer('wg show lb0 transfer', 'PEER=\tmany\t20\n')
  await expect(backend.read()).rejects.toMatchObject({ code: 'ERR_MALFORMED' })
})

test('sets all peers at once, each with its address, and moves one by itself', async () => {
  const runner = new ScriptedRunner(none)
  const backend = backendWith(runner, threeSettings)
  await backend.create()
  await backend.configure(new Secret('PRIVATE='), new Map([['PEER=', '198.51.100.2:51820']]))
  await backend.setEndpoint('THIRD=', '[2001:db8::3]:51820')
  expect(runner.calls.slice(3)).toEqual([
    'wg set lb0 peer PEER= endpoint 198.51.100.2:51820 persistent-keepalive 25 ' +
      'allowed-ips 10.77.0.2/32 peer THIRD= persistent-keepalive 10 allowed-ips 10.77.0.3/32',
    'ip address replace 10.77.0.1/29 dev lb0',
    'ip link set dev lb0 mtu 1340 txqueuelen 1000 up',
    'ip route replace 10.77.0.2/32 dev lb0 src 10.77.0.1',
    'ip route replace 10.77.0.3/32 dev lb0 src 10.77.0.1',
    'wg set lb0 peer THIRD= endpoint [2001:db8::3]:51820',
  ])
})

test('reads each peer apart, and knows none that the interface does not have', async () => {
  const runner = new ScriptedRunner({
    'wg show lb0 latest-handshakes': 'THIRD=\t0\nPEER=\t1700000000\n',
    'wg show lb0 transfer': 'THIRD=\t0\t148\nPEER=\t10\t20\n',
    'wg show lb0 endpoints': 'THIRD=\t(none)\nPEER=\t198.51.100.2:51820\n',
  })
  const backend = backendWith(runner, threeSettings)
  const none = { handshakeAtMs: null, receivedBytes: 0, sentBytes: 148, endpoint: null }
  const readings = await backend.read()
  expect(readings.get('THIRD=')).toEqual(none)
  expect(readings.get('PEER=')).toMatchObject({ receivedBytes: 10, endpoint: '198.51.100.2:51820' })
  await backend.setEndpoint('THIRD=', '198.51.100.3:51820')
  const moved = await backend.read()
  expect(moved.get('THIRD=')).toEqual({ ...none, endpoint: '198.51.100.3:51820' })
  expect(moved.get('PEER=')).toMatchObject({ endpoint: '198.51.100.2:51820' })
  runner.answer('wg show lb0 latest-handshakes', 'PEER=\t1700000000\n')
  expect([...(await backend.read()).keys()]).toEqual(['PEER='])
})

test('a link that is gone already counts as deleted', async () => {
  const runner = new ScriptedRunner(none)
  const backend = backendWith(runner)
  await backend.create()
  runner.answer('ip link delete', commandFailed())
  await backend.destroy()
  runner.answer(LINKS, link('wireguard')[LINKS] ?? '')
  const stuck = backendWith(new ScriptedRunner(none))
  await stuck.create()
  await stuck.destroy()
})
