import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { clearTunnel, peekTunnel } from '../../../src/tunnel/tunnel-remains.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'
import { threeSettings, tunnelSettings } from '../../helpers/tunnel/tunnel-fixture.ts'

const LIST = 'nft --stateless list table inet landbridge_lbunit0'
const link = JSON.stringify([{ ifname: 'lbunit0', linkinfo: { info_kind: 'wireguard' } }])
const answers = {
  'ip -j -d link show': link,
  'wg show lbunit0 public-key': 'OWN=\n',
  'wg show lbunit0 latest-handshakes': 'PEER=\t1700000000\n',
  'wg show lbunit0 transfer': 'PEER=\t10\t20\n',
  [LIST]: 'table inet landbridge_lbunit0 {}',
}
const options = {
  settings: tunnelSettings,
  firewall: { accept: [{ protocol: 'tcp', port: 7400 }], forward: false },
  publicKey: 'OWN=',
  userspaceArgv: ['wireguard-go'],
  dataDir: tmpdir(),
} as const

test('says of a tunnel without its gateway what it is, and whether it is guarded', async () => {
  const peek = (changes: Record<string, string | Error>) =>
    peekTunnel(options, new FakeClock(), new ScriptedRunner({ ...answers, ...changes }))
  const firewall = { inPlace: true, accepts: ['tcp/7400'], forwards: false }
  expect(await peek({})).toMatchObject({
    backend: 'kernel',
    firewall,
    peers: [{ name: 'azure', receivedBytes: 10, heardAgoMs: null }],
  })
  const open = { ...firewall, inPlace: false }
  expect(await peek({ [LIST]: commandFailed('no such table') })).toMatchObject({ firewall: open })
  const gone = { 'ip -j -d link show': '[]' }
  expect(await peek(gone)).toMatchObject({ state: 'down', firewall: open })
})

test('says of each peer what it is, also of one that the interface does not have yet', async () => {
  const clock = new FakeClock()
  const now = `PEER=\t${Math.floor(clock.wallMs() / 1000)}\n`
  const fresh = { ...answers, 'wg show lbunit0 latest-handshakes': now }
  const three = { ...options, settings: threeSettings }
  expect(await peekTunnel(three, clock, new ScriptedRunner(fresh))).toMatchObject({
    state: 'never',
    peers: [
      { name: 'azure', state: 'up', address: '10.77.0.2' },
      { name: 'gcp', state: 'never', address: '10.77.0.3' },
    ],
  })
  const gone = { ...fresh, 'ip -j -d link show': '[]' }
  const { peers } = await peekTunnel(three, clock, new ScriptedRunner(gone))
  expect(peers.map(({ state }) => state)).toEqual(['down', 'down'])
})

test('removes the rules after the interface, so that it is never without them', async () => {
  const runner = new ScriptedRunner(answers)
  expect(await clearTunnel(options, new FakeClock(), runner)).toBe('lbunit0')
  expect(runner.calls.slice(-2)).toEqual(['ip link delete dev lbunit0', 'nft -f -'])
  expect(runner.inputs.at(-1)).toContain('delete table inet landbridge_lbunit0')
})
