import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { withSetupLock } from '../../../src/setup/lock.mjs'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'landbridge-lock-'))
  vi.stubEnv('LANDBRIDGE_CACHE', directory)
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await rm(directory, { recursive: true })
})

test('two set-ups run one after the other', async () => {
  const steps: string[] = []
  const work = (name: string) => async () => {
    steps.push(`${name} in`)
    await new Promise((resolve) => setTimeout(resolve, 30))
    steps.push(`${name} out`)
  }
  await Promise.all([withSetupLock(work('a')), withSetupLock(work('b'))])
  expect(steps).toEqual(['a in', 'a out', 'b in', 'b out'])
})

test('the lock of a dead process is taken over', async () => {
  const dead = { pid: process.pid, start: 'another start' }
  await writeFile(join(directory, 'setup.lock'), JSON.stringify(dead))
  expect(await withSetupLock(async () => 'done')).toBe('done')
})

test('the lock is given back when the work fails', async () => {
  await expect(withSetupLock(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await withSetupLock(async () => 'done')).toBe('done')
})
