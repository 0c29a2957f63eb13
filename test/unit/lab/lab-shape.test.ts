import { describe, expect, test } from 'vitest'
import { processesNamed } from '../../../src/lab/lab-control.ts'
import {
  copiesOf,
  copyLabel,
  databasesOf,
  labShape,
  processesOf,
} from '../../../src/lab/lab-shape.ts'

const pair = labShape({ sites: 2, streams: 1 })
const three = labShape({ sites: 3, streams: 2 })
const gateway = { name: 'x', config: 'x', adminSocket: 'x', interface: 'x' }
const labOf = (shape: typeof pair) => ({
  ...shape,
  name: 'main',
  gateways: shape.sites.map((site) => ({ ...gateway, site })),
})

describe('labShape', () => {
  test('is a pair with one stream unless more is asked for', () => {
    expect(pair).toEqual({ sites: ['ec2', 'azure'], streams: [{ name: 'main', origin: 'ec2' }] })
    expect(copiesOf(pair)).toEqual([{ stream: 'main', site: 'azure' }])
    expect(databasesOf(pair)).toMatchObject([
      { name: 'ec2-db', role: 'origin', port: 3306, serverId: 1001 },
      { name: 'azure-db', role: 'copy', port: 3306, serverId: 2001 },
    ])
  })

  test('copies every stream to every other site, the second one the other way', () => {
    expect(copiesOf(three)).toEqual([
      { stream: 'main', site: 'azure' },
      { stream: 'main', site: 'gcp' },
      { stream: 'back', site: 'ec2' },
      { stream: 'back', site: 'gcp' },
    ])
    const other = labShape({ sites: 3, streams: 2, origin: 'azure' })
    expect(other.streams.map(({ origin }) => origin)).toEqual(['azure', 'ec2'])
  })

  test('names only what there are several of', () => {
    expect(copiesOf(pair).map((copy) => copyLabel(pair, copy))).toEqual([''])
    expect(copyLabel(three, { stream: 'back', site: 'gcp' })).toBe('back at gcp')
  })

  test('gives every database a name, and a place of its own at its site', () => {
    const all = databasesOf(three)
    expect(new Set(all.map(({ name }) => name)).size).toBe(6)
    expect(new Set(all.map(({ site, port }) => `${site}:${port}`)).size).toBe(6)
    expect(new Set(all.map(({ serverId }) => serverId)).size).toBe(6)
  })

  test.each([
    { sites: 1, streams: 1 },
    { sites: 5, streams: 1 },
    { sites: 2.5, streams: 1 },
    { sites: Number.NaN, streams: 1 },
    { sites: 2, streams: 3 },
    { sites: 2, streams: 1, origin: 'gcp' },
  ] as const)('refuses %j', (wish) => {
    expect(() => labShape(wish)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
  })
})

test('processes are started in the order of what needs what', () => {
  expect(processesOf(pair, true)).toEqual([
    ...['wan', 'ec2-db', 'azure-db', 'ec2-gateway', 'azure-gateway'],
  ])
  expect(processesOf(pair, false)).toEqual(['wan', 'ec2-db', 'azure-db'])
})

test('a host stands for the processes that run on it', () => {
  expect(processesNamed(labOf(pair), 'ec2-gw')).toEqual(['ec2-gateway'])
  expect(processesNamed(labOf(pair), 'azure-db')).toEqual(['azure-db'])
  expect(processesNamed(labOf(three), 'azure-db')).toEqual(['azure-db-main', 'azure-db-back'])
  expect(processesNamed(labOf(three), 'gcp-db-back')).toEqual(['gcp-db-back'])
  for (const name of ['moon', 'gcp-gateway', 'ec2-db-main']) {
    expect(() => processesNamed(labOf(pair), name)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE' }),
    )
  }
})
