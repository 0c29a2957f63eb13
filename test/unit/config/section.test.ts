import { expect, test } from 'vitest'
import type { HostPort } from '../../../src/config/address.ts'
import * as field from '../../../src/config/fields.ts'
import { Problems } from '../../../src/config/problem.ts'
import { ConfigFiles } from '../../../src/config/secret-file.ts'
import {
  type ConfigSection,
  checkStreamSections,
  listenersOf,
  loadSections,
  loadStreamSections,
  type SectionContext,
  type StreamSection,
  streamListenersOf,
} from '../../../src/config/section.ts'

const schema = field.mapping({ listen: field.hostPort })

/** As a part of the program would bring it. */
function section(name: string): ConfigSection<{ readonly listen: HostPort } | null> {
  return {
    load(raw, { problems }) {
      if (raw === undefined) return null
      return problems.parse(schema, raw, [name]) ?? undefined
    },
    listeners: (value) => (value === null ? [] : [{ path: `${name}.listen`, at: value.listen }]),
    template: () => [],
  }
}

const pool: StreamSection<string> = {
  load: (raw, { stream }) => (typeof raw === 'string' ? raw : `pool of ${stream.name}`),
  check(all, { problems }) {
    for (const [index, { where, stream, value }] of all.entries()) {
      const other = all.slice(0, index).find((one) => one.value === value)
      if (other !== undefined) problems.add(where, `${stream} swims in the pool of ${other.stream}`)
    }
  },
  listeners: (value, where) => [{ path: where, at: { host: value, port: 1 } }],
  template: () => [],
}

function context(): SectionContext {
  const problems = new Problems()
  const files = new ConfigFiles({ directory: '/nowhere', env: {} }, problems)
  return { site: 'ec2', dataDir: '/data', self: null, peerNames: [], peers: [], files, problems }
}

test('sections are read each by itself, in their order; what is absent is not wrong', async () => {
  const sections = { one: section('one'), two: section('two'), three: section('three') }
  const given = context()
  const raw = { one: { listen: 7 }, three: { listen: '127.0.0.1:9', more: 1 } }
  expect(await loadSections(sections, raw, given)).toEqual({
    one: undefined,
    two: null,
    three: undefined,
  })
  expect(given.problems.list.map(({ path }) => path)).toEqual(['one.listen', 'three.more'])
})

test('who listens where is asked of those that could be read', async () => {
  const sections = { one: section('one'), two: section('two'), three: section('three') }
  const given = context()
  const raw = { one: { listen: 7 }, three: { listen: '127.0.0.1:9' } }
  const loaded = await loadSections(sections, raw, given)
  expect(listenersOf(sections, loaded, given)).toEqual([
    { path: 'three.listen', at: { host: '127.0.0.1', port: 9 } },
  ])
})

test('a section of a stream sees all streams for what may clash between them', async () => {
  const given = context()
  const load = async (name: string, index: number, raw: object) => {
    const [where, stream] = [`streams[${index}]`, { name, origin: 'ec2' }]
    const own = { ...given, stream, identity: null, where }
    return { ...stream, where, sections: await loadStreamSections({ pool }, { ...raw }, own) }
  }
  const streams = [
    await load('main', 0, {}),
    await load('stock', 1, { pool: 'pool of main' }),
    await load('logs', 2, {}),
  ]
  checkStreamSections({ pool }, streams, given)
  expect(given.problems.list).toEqual([
    { path: 'streams[1].pool', message: 'stock swims in the pool of main' },
  ])
  expect(streamListenersOf({ pool }, streams).map(({ path }) => path)).toEqual([
    'streams[0].pool',
    'streams[1].pool',
    'streams[2].pool',
  ])
})
