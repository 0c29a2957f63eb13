import { expect, test } from 'vitest'
import { backendFindings, tunDeviceFindings } from '../../../src/cli/check-machine.ts'

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
