import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LastEndpoints } from '../../../src/tunnel/last-endpoints.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'landbridge-unit-'))
  path = join(folder, 'made', 'tunnel-lb0.endpoint')
})
afterEach(() => rm(folder, { recursive: true }))

const near = '198.51.100.2:51820'
const far = '[2001:db8::3]:51820'

test('knows after a restart where each peer was heard last', async () => {
  const notes = new LastEndpoints(path, ['PEER=', 'THIRD='])
  expect(await notes.load()).toEqual(new Map())
  await notes.save(new Map([['PEER=', near]]))
  // Only one of them is up: what is known of the other stays.
  await notes.save(new Map([['THIRD=', far]]))
  const next = new LastEndpoints(path, ['PEER=', 'THIRD='])
  const both = new Map([
    ['PEER=', near],
    ['THIRD=', far],
  ])
  expect(await next.load()).toEqual(both)
  const { mtimeMs } = await stat(path)
  await next.save(both)
  expect((await stat(path)).mtimeMs).toBe(mtimeMs)
})

test('forgets a peer that is not configured any more', async () => {
  const both = new LastEndpoints(path, ['PEER=', 'THIRD='])
  await both.save(
    new Map([
      ['PEER=', near],
      ['THIRD=', far],
    ]),
  )
  const one = new LastEndpoints(path, ['THIRD='])
  expect(await one.load()).toEqual(new Map([['THIRD=', far]]))
  await one.save(new Map([['THIRD=', near]]))
  expect(await readFile(path, 'utf8')).toBe(`THIRD=\t${near}\n`)
})

test('takes the note of a version that knew one peer, where there is still one', async () => {
  path = join(folder, 'tunnel-lb0.endpoint')
  await writeFile(path, `${near}\n`)
  expect(await new LastEndpoints(path, ['PEER=']).load()).toEqual(new Map([['PEER=', near]]))
  expect(await new LastEndpoints(path, ['PEER=', 'THIRD=']).load()).toEqual(new Map())
})

test('whatever else stands in the file is passed over', async () => {
  path = join(folder, 'tunnel-lb0.endpoint')
  await writeFile(path, `PEER=\tazure.example:1\nOTHER=\t${near}\n\t\nPEER=\n__proto__\t${near}`)
  expect(await new LastEndpoints(path, ['PEER=', 'THIRD=']).load()).toEqual(new Map())
})
