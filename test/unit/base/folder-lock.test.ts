import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { lockFolder } from '../../../src/base/folder-lock.ts'
import { temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

const MODULE = new URL('../../../src/base/folder-lock.ts', import.meta.url).href

afterEach(() => vi.unstubAllEnvs())

/** Another process that takes the lock, says whether it got it, and keeps it. */
async function lockElsewhere(path: string): Promise<{
  readonly isLocked: boolean
  readonly kill: () => Promise<void>
}> {
  const code = `const lock = await (await import('${MODULE}')).lockFolder(process.argv[1])
    console.log(lock === null ? 'no' : 'yes')
    setInterval(() => lock, 1000)`
  const argv = ['--input-type=module', '-e', code, path]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const kill = async () => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  return { isLocked: said.toString().trim() === 'yes', kill }
}

test('a folder has one lock at a time, whose and wherever that may be', async () => {
  await using folder = await temporaryFolder()
  const lock = await lockFolder(folder.path)
  expect(await lock?.isHeld()).toBe(true)
  expect(await lockFolder(folder.path)).toBeNull()
  const other = await lockElsewhere(folder.path)
  await other.kill()
  expect(other.isLocked).toBe(false)
  await lock?.release()
  const again = await lockFolder(folder.path)
  expect(again).not.toBeNull()
  await again?.release()
  expect(await readdir(folder.path)).toEqual([])
})

test('the lock of a killed process is free', async () => {
  await using folder = await temporaryFolder()
  const other = await lockElsewhere(folder.path)
  expect([other.isLocked, await lockFolder(folder.path)]).toEqual([true, null])
  await other.kill()
  const lock = await lockFolder(folder.path)
  expect(lock).not.toBeNull()
  await lock?.release()
})

test('a program that is started meanwhile does not keep it', async () => {
  await using folder = await temporaryFolder()
  const lock = await lockFolder(folder.path)
  const child = spawn('sleep', ['30'])
  await lock?.release()
  const again = await lockFolder(folder.path)
  child.kill('SIGKILL')
  expect(again).not.toBeNull()
  await again?.release()
})

test('a lock is of the folder, not of its path', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'spool')
  await mkdir(path)
  const lock = await lockFolder(path)
  await rename(path, join(folder.path, 'away'))
  expect(await lock?.isHeld()).toBe(false)
  await mkdir(path)
  expect(await lock?.isHeld()).toBe(false)
  const other = await lockFolder(path)
  expect(other).not.toBeNull()
  await other?.release()
  await lock?.release()
})

test('there is no lock without a folder, or without the program that takes it', async () => {
  await using folder = await temporaryFolder()
  await expect(lockFolder(join(folder.path, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  vi.stubEnv('PATH', folder.path)
  await expect(lockFolder(folder.path)).rejects.toMatchObject({
    code: 'ERR_FOLDER_LOCK',
    remedy: expect.stringContaining('util-linux'),
  })
})
