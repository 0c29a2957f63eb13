import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deniedPathOf, deniedRemedy } from '../../../src/base/denied.ts'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { needs } from '../../helpers/needs.ts'

const srcUrl = (path: string) => fileURLToPath(new URL(`../../../src/${path}`, import.meta.url))

/** Loaded as root, run as nobody. */
function asNobody(module: string, call: string): string {
  const program = `const m = await import(${JSON.stringify(srcUrl(module))})
    process.setgroups([]); process.setgid(65534); process.setuid(65534)
    console.log(String(await (async () => { return ${call} })().catch((error) => error.message)))`
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
}

describe('a path that is refused', needs('root'), () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lbdenied-'))
    await chmod(directory, 0o755)
    await writeFile(join(directory, 'gateway.yaml'), 'name: a\n', { mode: 0o640 })
    await mkdir(join(directory, 'closed'), { mode: 0o700 })
    await writeFile(join(directory, 'closed', 'secret'), 'x', { mode: 0o600 })
  })
  afterAll(() => rm(directory, { recursive: true }))

  const remedy = (path: string, use: string) =>
    asNobody('base/denied.ts', `m.deniedRemedy(${JSON.stringify(path)}, '${use}')`)

  test('says who this is, whose it is, with which mode, and what to do', () => {
    const path = join(directory, 'gateway.yaml')
    expect(remedy(path, 'read')).toBe(
      `this is user nobody (uid 65534); ${path} belongs to root:root, mode 0640. Run it as that ` +
        'user (sudo -u root ...), or join the group: sudo usermod -aG root nobody, ' +
        'then log in again\n',
    )
    expect(remedy(path, 'write')).toContain(`or make it yours: sudo chown -R nobody ${path}`)
  })

  test('names the folder above that is closed, not what lies in it', () => {
    const folder = join(directory, 'closed')
    const text = remedy(join(folder, 'secret'), 'secret')
    expect(text).toContain(`${folder} belongs to root:root, mode 0700`)
    expect(remedy(join(folder, 'new', 'er'), 'write')).toContain(`${folder} belongs to`)
  })

  test('a configuration, and a socket', async () => {
    const path = join(directory, 'gateway.yaml')
    const load = `m.loadConfig(${JSON.stringify(path)})`
    expect(asNobody('gateway/config/load-config.ts', load)).toContain(
      `cannot be read (EACCES); this is user nobody (uid 65534); ${path} belongs to root:root`,
    )
    const socket = join(directory, 'a.sock')
    const server = createServer().listen(socket)
    await new Promise((resolve) => server.once('listening', resolve))
    await chmod(socket, 0o660)
    const call = `m.fetchStatus(${JSON.stringify(socket)}).catch((error) => error.remedy)`
    expect(asNobody('api/admin-client.ts', call)).toMatch(
      /a\.sock belongs to root:root, mode 0660\. Use sudo, or join the group: sudo usermod/,
    )
    server.close()
  })
})

test('the path is found in the cause, and nothing is said of other failures', () => {
  const refused = Object.assign(new Error('no'), { code: 'EACCES', path: '/a' })
  const wrapped = new LandbridgeError('ERR_X', 'no', { cause: new Error('no', { cause: refused }) })
  expect(deniedPathOf(wrapped)).toBe('/a')
  const missing = Object.assign(new Error('no'), { code: 'ENOENT', path: '/a' })
  expect(deniedPathOf(missing)).toBeNull()
  expect(deniedRemedy(tmpdir(), 'read')).toMatch(/^this is user .* with sudo$/)
})
