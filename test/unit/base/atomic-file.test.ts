import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ignoreMissing, replaceFile } from '../../../src/base/atomic-file.ts'
import { namesIn, temporaryFolder } from '../../helpers/spool-fixture.ts'

test('makes a file, replaces it, and leaves nothing else behind', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'a.json')
  await replaceFile(path, 'old')
  await replaceFile(path, Buffer.from('new'), { mode: 0o600 })
  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await namesIn(folder.path)).toEqual(['a.json'])
})

test('keeps the old content and removes the temporary file when it cannot replace', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'a')
  await mkdir(path)
  await writeFile(join(path, 'inside'), 'kept')
  await expect(replaceFile(path, 'x')).rejects.toMatchObject({ code: 'EISDIR' })
  expect(await namesIn(folder.path)).toEqual(['a'])
  expect(await readFile(join(path, 'inside'), 'utf8')).toBe('kept')
})

test('says which folder is missing', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'none', 'a')
  await expect(replaceFile(path, 'x')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('tolerates a missing file and nothing else', () => {
  ignoreMissing(Object.assign(new Error(), { code: 'ENOENT' }))
  const denied = Object.assign(new Error(), { code: 'EACCES' })
  expect(() => ignoreMissing(denied)).toThrow(denied)
  expect(() => ignoreMissing('text')).toThrow()
})
