import { expect, test } from 'vitest'
import {
  firewallRules,
  listFirewall,
  removeFirewall,
  setFirewall,
  tunnelTable,
} from '../../../src/tunnel/firewall.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'

const settings = {
  interfaceName: 'lb0',
  address: '10.77.0.1',
  peerAddresses: ['10.77.0.2', '10.77.0.3'],
  accept: [
    { protocol: 'tcp', port: 7400 },
    { protocol: 'udp', port: 161 },
  ],
  forward: false,
} as const

test('replaces its own table whole, in one transaction', () => {
  expect(firewallRules(settings)).toBe(`add table inet landbridge_lb0
delete table inet landbridge_lb0
table inet landbridge_lb0 {
  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "lb0" return
    ct state established,related accept
    ip saddr { 10.77.0.2, 10.77.0.3 } ip daddr 10.77.0.1 tcp dport 7400 accept
    ip saddr { 10.77.0.2, 10.77.0.3 } ip daddr 10.77.0.1 udp dport 161 accept
    icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
    icmpv6 type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
    icmpv6 type packet-too-big accept
    counter drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "lb0" counter drop
    oifname "lb0" counter drop
  }
}
`)
})

test('forwards only where that is asked for, and knows IPv6', () => {
  const six = { address: 'fd77::1', peerAddresses: ['fd77::2'] }
  const open = firewallRules({ ...settings, ...six, forward: true })
  expect(open).not.toContain('chain forward')
  expect(open).toContain('ip6 saddr { fd77::2 } ip6 daddr fd77::1 tcp dport 7400 accept')
})

test('is open to nobody when no peer has an address of its family', () => {
  const rules = firewallRules({ ...settings, peerAddresses: ['fd77::2'] })
  expect(rules).not.toContain('dport')
  expect(rules).toContain('counter drop')
})

test('two interfaces never share a table', () => {
  const names = ['lb0', 'lb_0', 'lb-0', 'lb.0', 'lb=0', 'lb+0', 'lb_5f0']
  const tables = names.map(tunnelTable)
  expect(new Set(tables).size).toBe(names.length)
  for (const table of tables) expect(table).toMatch(/^[a-z][A-Za-z0-9_]*$/)
})

test('without nft, or when it refuses, the reason and a remedy are told', async () => {
  const known = { code: 'ERR_TUNNEL_FIREWALL', remedy: expect.stringContaining('nftables') }
  const absent = new ScriptedRunner({}, ['nft'])
  await expect(setFirewall(absent, settings)).rejects.toMatchObject(known)
  const refused = new ScriptedRunner({ nft: commandFailed('not permitted') })
  await expect(setFirewall(refused, settings)).rejects.toMatchObject(known)
  expect(await listFirewall(refused, 'lb0')).toBeNull()
  await removeFirewall(absent, 'lb0')
  expect(absent.calls).toEqual([])
})
