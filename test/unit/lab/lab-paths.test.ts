import { expect, test } from 'vitest'
import { labPaths } from '../../../src/lab/lab-paths.ts'
import { addressesOf, HOSTS, labOfNamespace, SITES } from '../../../src/lab/lab-sites.ts'

test('interface names fit 15 bytes and differ between labs and sites', () => {
  const names = ['main', 'demo', 'a-lab-of-twenty-four-abc'].flatMap((name) =>
    SITES.map((site) => labPaths(name).interfaceName(site)),
  )
  expect(names.every((name) => name.length <= 15)).toBe(true)
  expect(new Set(names).size).toBe(3 * SITES.length)
})

test('every host has a namespace of its own', () => {
  const paths = labPaths('main')
  expect(new Set(HOSTS.map((host) => paths.namespace(host))).size).toBe(HOSTS.length)
  expect(paths.namespace('ec2-gw')).toBe('lb-main-ec2-gw')
})

test('no two addresses of a lab are the same', () => {
  const addresses = SITES.flatMap((site) => Object.values(addressesOf(site)))
  expect(new Set(addresses).size).toBe(addresses.length)
})

test('knows whose host a namespace is, of an older version too', () => {
  for (const name of ['main', 'a', 'a-b', 'c-ec2-db', 'wan']) {
    const namespaces = HOSTS.map((host) => labPaths(name).namespace(host))
    expect(new Set(namespaces.map(labOfNamespace))).toEqual(new Set([name]))
  }
  expect(labOfNamespace('lb-demo-prod-gw')).toBe('demo')
  expect(['wan', 'lb-main', 'x-main-wan', 'lb-main-ec2'].map(labOfNamespace)).toEqual(
    Array.from({ length: 4 }, () => null),
  )
})

test.each(['', '-x', 'x-', '../up', 'Upper', 'a'.repeat(25)])('refuses the name %j', (name) => {
  expect(() => labPaths(name)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})
