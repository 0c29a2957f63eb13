import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createFolder, ignoreMissing, replaceFile } from '../../../src/base/atomic-file.ts'
import { type Disk, realDisk } from '../../../src/base/disk.ts'
import { namesIn, temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

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

describe('making a folder', () => {
  const synced: string[] = []
  const disk: Disk = {
    ...realDisk,
    syncDirectory: async (path) => {
      synced.push(path)
      await realDisk.syncDirectory(path)
    },
  }

  test('makes the name of each durable before it makes the next', async () => {
    await using folder = await temporaryFolder()
    const { path } = folder
    await createFolder(join(path, 'a', 'b'), disk)
    expect((await stat(join(path, 'a', 'b'))).mode & 0o777).toBe(0o700)
    expect(synced.splice(0)).toEqual([dirname(path), path, join(path, 'a')])
    // Whoever made it may have been killed before the sync.
    await createFolder(join(path, 'a', 'b'), disk)
    expect(synced.splice(0)).toEqual([join(path, 'a')])
  })

  test('leaves a folder alone that may not be read, and nothing else', async () => {
    await using folder = await temporaryFolder()
    const refusing = (code: string): Disk => ({
      ...realDisk,
      syncDirectory: async () => {
        throw Object.assign(new Error(code), { code })
      },
    })
    await createFolder(folder.path, refusing('EACCES'))
    await expect(createFolder(folder.path, refusing('EIO'))).rejects.toThrow('EIO')
  })
})

test('tolerates a missing file and nothing else', () => {
  ignoreMissing(Object.assign(new Error(), { code: 'ENOENT' }))
  const denied = Object.assign(new Error(), { code: 'EACCES' })
  expect(() => ignoreMissing(denied)).toThrow(denied)
  expect(() => ignoreMissing('text')).toThrow()
})
