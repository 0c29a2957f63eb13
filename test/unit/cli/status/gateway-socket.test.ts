import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { resolveSocket } from '../../../../src/cli/status/gateway-socket.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lb-'))
})

afterEach(() => rm(directory, { recursive: true }))

test('takes the named socket, or that of the named configuration, reading no keys', async () => {
  expect(await resolveSocket({ socket: '/a.sock', config: '/b.yaml' })).toBe('/a.sock')
  const config = join(directory, 'gateway', 'a.yaml')
  await mkdir(join(directory, 'gateway'))
  await writeFile(config, 'admin: { socket: ../run/a.sock }\nidentity: { wireguardKey: missing }\n')
  expect(await resolveSocket({ config })).toBe(join(directory, 'run', 'a.sock'))
  await writeFile(config, 'name: a\n')
  await expect(resolveSocket({ config })).rejects.toMatchObject({ code: 'ERR_CONFIG' })
})

test('takes the only gateway of the machine, and lists several', async () => {
  const none = resolveSocket({}, directory)
  await expect(none).rejects.toMatchObject({ code: 'ERR_GATEWAY_NOT_RUNNING' })
  const [a, b] = [join(directory, 'a.sock'), join(directory, 'b.sock')]
  await writeFile(a, '')
  await writeFile(join(directory, 'readme'), '')
  expect(await resolveSocket({}, directory)).toBe(a)
  await writeFile(b, '')
  await expect(resolveSocket({}, directory)).rejects.toMatchObject({
    code: 'ERR_SOCKET_CHOICE',
    details: { sockets: [a, b] },
  })
})
