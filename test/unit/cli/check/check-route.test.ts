import { expect, test } from 'vitest'
import { checkRoute } from '../../../../src/cli/check/check-route.ts'
import type { HostPort } from '../../../../src/config/address.ts'
import type { GatewayConfig } from '../../../../src/gateway/config/gateway-config.ts'
import { ScriptedRunner } from '../../../helpers/tunnel/scripted-runner.ts'

type Look = Parameters<typeof checkRoute>[0]

function configOf(...hosts: readonly string[]): Look {
  const endpoints: HostPort[] = hosts.map((host) => ({ host, port: 51_820 }))
  const tunnel = { kind: 'wireguard', interfaceName: 'lb0' } as GatewayConfig['tunnel']
  return { tunnel, peers: [{ name: 'ec2', endpoints }] as unknown as GatewayConfig['peers'] }
}

async function found(answer: string | Error, host = '198.51.100.20', missing: string[] = []) {
  const runner = new ScriptedRunner({ 'ip ': answer }, missing)
  const findings = await checkRoute(configOf(host), runner, async (name) => {
    if (name === 'ec2.example') return ['198.51.100.20', '2001:db8::20']
    throw Object.assign(new Error(name), { code: 'ENOTFOUND' })
  })
  return { findings, calls: runner.calls }
}

const VIA = '198.51.100.20 via 192.0.2.1 dev eth0 src 192.0.2.2 uid 0 \n    cache \n'

test('the kernel alone is asked for the route to the endpoint', async () => {
  expect(await found(VIA)).toEqual({
    findings: [{ severity: 'ok', message: 'there is a route to ec2 at 198.51.100.20 (eth0)' }],
    calls: ['ip -4 route get 198.51.100.20'],
  })
})

test('no route is an error, and so is one through the tunnel itself', async () => {
  const none = await found(new Error('RTNETLINK answers: Network is unreachable'))
  expect(none.findings).toMatchObject([
    { severity: 'error', message: expect.stringContaining('Network is unreachable') },
  ])
  const inside = await found(VIA.replace('eth0', 'lb0'))
  expect(inside.findings).toMatchObject([
    { severity: 'error', message: expect.stringContaining('through the tunnel itself') },
  ])
})

test('an endpoint that is this machine is a warning', async () => {
  const own = await found('local 127.0.0.1 dev lo src 127.0.0.1 uid 0')
  expect(own.findings).toMatchObject([{ severity: 'warning' }])
})

test('every address of a name is looked at; a name without one is an error', async () => {
  const named = await found(VIA, 'ec2.example')
  expect(named.calls).toEqual(['ip -4 route get 198.51.100.20', 'ip -6 route get 2001:db8::20'])
  expect((await found(VIA, 'gone.example')).findings).toMatchObject([
    { severity: 'error', message: expect.stringContaining('ENOTFOUND') },
  ])
})

test('where there is nothing to ask, or nobody, that is said', async () => {
  expect(await checkRoute(configOf(), new ScriptedRunner({}))).toMatchObject([{ severity: 'ok' }])
  expect((await found(VIA, '198.51.100.20', ['ip'])).findings).toMatchObject([
    { severity: 'warning' },
  ])
})

test('every peer is looked at, and named', async () => {
  const [ec2] = configOf('198.51.100.20').peers
  const [gcp] = configOf().peers
  if (ec2 === undefined || gcp === undefined) throw new Error('each has a peer')
  const peers = [ec2, { ...gcp, name: 'gcp' }]
  const runner = new ScriptedRunner({ 'ip ': VIA })
  expect(await checkRoute({ ...configOf(), peers }, runner)).toEqual([
    { severity: 'ok', message: 'there is a route to ec2 at 198.51.100.20 (eth0)' },
    { severity: 'ok', message: 'gcp has no endpoint: it is the one that dials' },
  ])
})
