import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Secret } from '../../../src/base/secret.ts'
import { writeSecretFile } from '../../../src/keys/key-file.ts'

const folder = await mkdtemp(join(tmpdir(), 'landbridge-keys-'))
afterAll(() => rm(folder, { recursive: true }))

test('writes a key that only its owner may read and never overwrites it unasked', async () => {
  const path = join(folder, 'ec2', 'wireguard.key')
  expect(await writeSecretFile(path, new Secret('first'))).toBe(true)
  expect(await writeSecretFile(path, new Secret('second'))).toBe(false)
  expect(await readFile(path, 'utf8')).toBe('first\n')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(join(folder, 'ec2'))).mode & 0o777).toBe(0o700)
  expect(await writeSecretFile(path, new Secret('third'), { replace: true })).toBe(true)
  expect(await readFile(path, 'utf8')).toBe('third\n')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})
