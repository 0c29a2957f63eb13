import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Log, silentLog } from '../../../src/base/log.ts'
import { makePrivate } from '../../../src/base/private-folder.ts'
import { temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

const isOurs = (name: string) => name === 'spool'

/** What was logged while it was made private. */
async function mended(path: string): Promise<object[]> {
  const told: object[] = []
  const log: Log = { ...silentLog, warn: (fields) => void told.push(fields) }
  await makePrivate(path, { isOurs, log })
  return told
}

async function make(root: string, paths: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, mode] of Object.entries(paths)) {
    const path = join(root, name)
    if (name.endsWith('/')) await mkdir(path)
    else await writeFile(path, '')
    await chmod(path, mode)
  }
}

async function modes(root: string, ...names: readonly string[]): Promise<string[]> {
  const all = names.map(async (name) => (await stat(join(root, name))).mode & 0o7777)
  return (await Promise.all(all)).map((mode) => mode.toString(8))
}

test('takes from group and others what they had, says so, and then has nothing to do', async () => {
  await using folder = await temporaryFolder()
  await make(folder.path, {
    'identity-main.json': 0o640,
    'spool/': 0o2750,
    'spool/000001/': 0o755,
    'spool/000001/b.000001': 0o640,
    'spool/000001/index/': 0o750,
    'spool/000001/index/b.000001.json': 0o664,
  })
  await chmod(folder.path, 0o755)
  expect(await mended(folder.path)).toEqual([{ path: folder.path, changed: 7 }])
  expect(await modes(folder.path, '', 'spool', 'spool/000001', 'spool/000001/index')).toEqual([
    '700',
    '2700',
    '700',
    '700',
  ])
  const files = ['identity-main.json', 'spool/000001/b.000001', 'spool/000001/index/b.000001.json']
  expect(await modes(folder.path, ...files)).toEqual(['600', '600', '600'])
  expect(await mended(folder.path)).toEqual([])
})

test('a folder that is looked at by itself another time is left alone', async () => {
  await using folder = await temporaryFolder()
  await make(folder.path, { 'spool/': 0o750, 'spool/main/': 0o755, 'spool/main/b.000001': 0o644 })
  const except = [join(folder.path, 'spool/main')]
  await makePrivate(folder.path, { isOurs, except, log: silentLog })
  expect(await modes(folder.path, 'spool', 'spool/main', 'spool/main/b.000001')).toEqual([
    '700',
    '755',
    '644',
  ])
})

test('a folder that is private is not walked again', async () => {
  await using folder = await temporaryFolder()
  await make(folder.path, { 'spool/': 0o700, 'spool/copied': 0o644 })
  expect(await mended(folder.path)).toEqual([])
  expect(await modes(folder.path, 'spool/copied')).toEqual(['644'])
})

test('what is shared with others keeps its mode, and that is told', async () => {
  await using folder = await temporaryFolder()
  await make(folder.path, { hosts: 0o644, 'postgres/': 0o755, 'spool/': 0o750 })
  await chmod(folder.path, 0o755)
  expect(await mended(folder.path)).toMatchObject([
    { changed: 1 },
    { code: 'ERR_FOLDER_SHARED', remedy: expect.stringContaining(folder.path) },
  ])
  expect(await modes(folder.path, '', 'hosts', 'postgres', 'spool')).toEqual([
    '755',
    '644',
    '755',
    '700',
  ])
})

test('follows no link, and misses no folder that is not there', async () => {
  await using folder = await temporaryFolder()
  await using other = await temporaryFolder()
  await make(other.path, { theirs: 0o644 })
  await make(folder.path, { 'lost+found/': 0o755 })
  await symlink(join(other.path, 'theirs'), join(folder.path, 'link'))
  await symlink(other.path, join(folder.path, 'spool'))
  expect(await mended(folder.path)).toEqual([])
  expect(await modes(other.path, 'theirs')).toEqual(['644'])
  expect(await mended(join(folder.path, 'none'))).toEqual([])
})
