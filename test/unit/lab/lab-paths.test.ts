import { expect, test } from 'vitest'
import { processesNamed } from '../../../src/lab/lab-control.ts'
import { HOSTS, labPaths } from '../../../src/lab/lab-paths.ts'

test('interface names fit 15 bytes and differ between labs and sites', () => {
  const names = ['main', 'demo', 'a-lab-of-twenty-four-abc'].flatMap((name) =>
    Object.values(labPaths(name).interfaces),
  )
  expect(names.every((name) => name.length <= 15)).toBe(true)
  expect(new Set(names).size).toBe(6)
})

test('every host has a namespace of its own', () => {
  const paths = labPaths('main')
  expect(new Set(HOSTS.map((host) => paths.namespace(host))).size).toBe(HOSTS.length)
  expect(paths.namespace('prod-gw')).toBe('lb-main-prod-gw')
})

test.each(['', '-x', 'x-', '../up', 'Upper', 'a'.repeat(25)])('refuses the name %j', (name) => {
  expect(() => labPaths(name)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})

test('a host stands for the process that runs on it', () => {
  expect(processesNamed('prod-gw')).toEqual(['prod-gateway'])
  expect(processesNamed('replica')).toEqual(['replica'])
  expect(() => processesNamed('moon')).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})
