import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatHostPort,
  isHost,
  parseHostPort,
  parseSubnetAddress,
  sameSubnet,
} from '../../../src/config/address.ts'
import { parseBytes, parseDurationMs } from '../../../src/config/quantity.ts'

test('sizes are binary with an i, decimal without, bytes with no unit', () => {
  const sizes = ['16MiB', '50MB', '4096', '1.5 GiB', '10kB', '2TiB', 4096].map(parseBytes)
  expect(sizes).toEqual([
    16_777_216, 50_000_000, 4096, 1_610_612_736, 10_000, 2_199_023_255_552, 4096,
  ])
  for (const bad of [
    '',
    'MiB',
    '-1',
    '1e3',
    '1PiB',
    '1 2',
    'constructor',
    -1,
    1.5,
    null,
    [],
    '9'.repeat(20),
  ]) {
    expect(parseBytes(bad)).toBeNull()
  }
})

test('durations need their unit', () => {
  expect(['7d', '30s', '250ms', '1.5h', '2w'].map(parseDurationMs)).toEqual([
    604_800_000, 30_000, 250, 5_400_000, 1_209_600_000,
  ])
  for (const bad of ['7', 7, '', 'd', '1y', '-1s']) expect(parseDurationMs(bad)).toBeNull()
})

test('host and port go in and out unchanged, whatever the address family', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
      fc.integer({ min: 1, max: 65_535 }),
      (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }))).toEqual({ host, port })
      },
    ),
  )
  for (const bad of [
    'host',
    'host:',
    ':1',
    'host:0',
    'host:65536',
    '::1:80',
    '[host]:80',
    'a b:1',
    '1.2.3.400:1',
  ]) {
    expect(parseHostPort(bad)).toBeNull()
  }
  expect([isHost('db-1.internal'), isHost('-db'), isHost('300.1.1.1')]).toEqual([
    true,
    false,
    false,
  ])
})

test('tells whether two tunnel addresses are of one subnet', () => {
  const same = (one: string, other: string) => {
    const [left, right] = [parseSubnetAddress(one), parseSubnetAddress(other)]
    return left !== null && right !== null && sameSubnet(left, right)
  }
  expect(same('10.77.0.1/30', '10.77.0.2/30')).toBe(true)
  expect(same('10.77.0.1/30', '10.77.0.5/30')).toBe(false)
  expect(same('10.77.0.1/30', '10.77.0.2/29')).toBe(false)
  expect(same('fd77::1/64', 'fd77:0:0:0:1::2/64')).toBe(true)
  expect(same('fd77::1/64', 'fd77:0:0:1::2/64')).toBe(false)
  expect(same('10.77.0.1/30', 'fd77::1/30')).toBe(false)
  expect(parseSubnetAddress('10.77.0.1')).toBeNull()
  expect(parseSubnetAddress('10.77.0.1/33')).toBeNull()
})
