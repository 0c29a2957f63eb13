import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import {
  backendFindings,
  checkClock,
  checkTools,
  elsewhereFindings,
  tunDeviceFindings,
} from '../../../../src/cli/check/check-machine.ts'
import type { GatewayConfig } from '../../../../src/gateway/config/gateway-config.ts'
import { ScriptedRunner } from '../../../helpers/tunnel/scripted-runner.ts'

const machine = { program: 'wireguard-go', wg: true, userspace: true, kernel: true }

test('any back end that this machine has is good', () => {
  for (const backend of ['auto', 'kernel', 'userspace'] as const) {
    expect(backendFindings(backend, machine)).toEqual([])
  }
  expect(backendFindings('auto', { ...machine, kernel: false })).toEqual([])
  expect(backendFindings('auto', { ...machine, userspace: false })).toEqual([])
})

test('wg alone makes no tunnel on a kernel without WireGuard', () => {
  const bare = { ...machine, kernel: false, userspace: false }
  expect(backendFindings('auto', bare)).toMatchObject([
    { severity: 'error', message: expect.stringContaining('wireguard-go') },
  ])
  expect(backendFindings('kernel', bare)).toMatchObject([
    { severity: 'error', remedy: expect.stringContaining('modprobe wireguard') },
  ])
})

test('a missing program is named with its package', () => {
  const bare = { ...machine, wg: false, userspace: false }
  expect(backendFindings('auto', bare)).toMatchObject([
    { severity: 'error', remedy: 'apt-get install wireguard-tools' },
  ])
  expect(backendFindings('userspace', bare)).toMatchObject([
    { severity: 'error', remedy: 'apt-get install wireguard-go' },
  ])
  expect(backendFindings('auto', { ...bare, kernel: false })).toHaveLength(1)
})

test('a device that wireguard-go cannot open is an error where it is needed', () => {
  expect(tunDeviceFindings(null, true)).toEqual([])
  expect(tunDeviceFindings('EACCES', true)).toMatchObject([
    { severity: 'error', remedy: expect.stringContaining('chmod 666 /dev/net/tun') },
  ])
  expect(tunDeviceFindings('ENOENT', false)).toMatchObject([
    { severity: 'warning', remedy: expect.stringContaining('modprobe tun') },
  ])
})

test('a program that only the caller has is named with its place, and what to set', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lb-path-'))
  const place = join(folder, 'wireguard-go')
  try {
    expect(await elsewhereFindings('wireguard-go', `bin::${folder}`)).toEqual([])
    await writeFile(place, '', { mode: 0o755 })
    expect(await elsewhereFindings('wireguard-go', `bin::/nowhere:${folder}`)).toMatchObject([
      { severity: 'warning', remedy: `set tunnel.userspaceBinary: ${place}` },
    ])
    expect(await elsewhereFindings('/opt/wireguard-go', folder)).toMatchObject([
      { message: '/opt/wireguard-go (tunnel.userspaceBinary) cannot be run' },
    ])
    // As `check` looks for it, in the caller's own PATH.
    await rename(place, join(folder, 'lb-wireguard'))
    vi.stubEnv('PATH', `${process.env.PATH}:${folder}`)
    const tunnel = { kind: 'wireguard', backend: 'userspace', userspaceArgv: ['lb-wireguard'] }
    expect(await checkTools({ tunnel } as unknown as GatewayConfig)).toContainEqual(
      expect.objectContaining({
        remedy: `set tunnel.userspaceBinary: ${join(folder, 'lb-wireguard')}`,
      }),
    )
  } finally {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  }
})

test('a clock of which nothing is known is a warning, as one that nobody keeps', async () => {
  const severity = async (runner: ScriptedRunner) => (await checkClock(runner))[0]?.severity
  expect(await severity(new ScriptedRunner({}, ['timedatectl']))).toBe('warning')
  expect(await severity(new ScriptedRunner({ timedatectl: new Error('no bus') }))).toBe('warning')
  expect(await severity(new ScriptedRunner({ timedatectl: 'no\n' }))).toBe('warning')
  expect(await severity(new ScriptedRunner({ timedatectl: 'yes\n' }))).toBe('ok')
})
