import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const LAUNCHER = fileURLToPath(new URL('../../../../src/cli/landbridge.mjs', import.meta.url))

/** As a person runs it, in the folder of sites whose names are not the usual ones. */
let folder: string
const at = (path: string): string => join(folder, path)

function init(...flags: readonly string[]) {
  const args = [LAUNCHER, 'init', '--directory', folder, ...flags]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'landbridge-init-'))
  const made = init('--sites', 'tokyo,paris', '--endpoint', 'tokyo=198.51.100.20', '--yes')
  expect(made).toMatchObject({ status: 0, stdout: expect.stringContaining('tar -czf paris.') })
})
afterAll(() => rm(folder, { recursive: true }))

test('a second run finds the names of the sites, and makes no other', async () => {
  const before = await readdir(folder, { recursive: true })
  expect(init('--yes')).toMatchObject({ status: 0, stderr: '' })
  expect(await readdir(folder, { recursive: true })).toEqual(before)
})

test('a renewal finds them too, and prints what it renewed and no more', async () => {
  const old = await readFile(at('certs/tokyo/gateway.crt'), 'utf8')
  const { status, stdout } = init('--renew')
  expect(status).toBe(0)
  const files = stdout.split('\n').filter((line) => line.startsWith('  renewed '))
  expect(files).toEqual([
    '  renewed  certs/tokyo/gateway.crt',
    '  renewed  certs/paris/gateway.crt',
  ])
  expect(stdout).not.toMatch(/kept|created|tar |CREATE USER/)
  expect(await readFile(at('certs/tokyo/gateway.crt'), 'utf8')).not.toBe(old)
})

test('a renewal without the authority’s key fails, and says which file is missing', async () => {
  await rm(at('certs/ca.key'))
  const old = await readFile(at('certs/tokyo/gateway.crt'), 'utf8')
  expect(init('--renew')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining('nothing was renewed: certs/ca.key not found'),
  })
  expect(await readFile(at('certs/tokyo/gateway.crt'), 'utf8')).toBe(old)
})
