import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { parseDocument } from 'yaml'
import { fetchStatus } from '../../src/api/admin-client.ts'
import { landbridgeArgv } from '../../src/lab/lab-gateways.ts'
import { freePort } from '../helpers/free-port.ts'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const run = promisify(execFile)

/*
 * A second DR gateway beside the running one, in a PID namespace of its own: both are process 1, as
 * in two containers. What does not depend on the flavour is shown on MariaDB, which starts sooner.
 */
describe('the folders of a gateway and a second one on them', needs('root', 'mariadb'), () => {
  let pair: ReplicatedPair
  const started: ChildProcess[] = []
  /** What the second gateways said. */
  let said = ''

  beforeAll(async () => {
    pair = await ReplicatedPair.create('mariadb', { attach: false })
    const sql = await pair.sql()
    await sql.query(
      'CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)',
    )
    await pair.synced()
  })
  beforeEach(() => onTestFailed(async () => console.error(said, await pair.logTails())))
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL')
    await pair?.stop()
  })

  /** The gateway of the copy's configuration with other values. */
  async function configWith(name: string, changes: Record<string, string>): Promise<string> {
    const config = parseDocument(await readFile(pair.pair.configPath('dr'), 'utf8'))
    for (const [path, value] of Object.entries(changes)) {
      const keys = path.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key))
      config.setIn(keys, value)
    }
    const file = join(pair.pair.directory, 'gateway', `${name}.yaml`)
    await writeFile(file, config.toString())
    return file
  }

  function start(config: string): ChildProcess {
    const gateway = landbridgeArgv('run', '--config', config)
    const argv = ['--fork', '--pid', '--mount-proc', '--kill-child', ...gateway]
    const child = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    started.push(child)
    for (const output of [child.stdout, child.stderr]) {
      output?.setEncoding('utf8').on('data', (part: string) => {
        said += part
      })
    }
    return child
  }

  async function insert(count: number): Promise<void> {
    const sql = await pair.sql()
    for (let row = 0; row < count; row += 1) await sql.query(`INSERT INTO d.t (v) VALUES (${row})`)
  }

  async function expectIdentical(): Promise<void> {
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  }

  /** What group or others may read of the gateway of the copy's folders. */
  async function openToOthers(data: string): Promise<string> {
    return (await run('find', [data, '-perm', '/077'])).stdout
  }

  test('are for its user alone, also those that an earlier version made', async () => {
    const data = join(pair.pair.directory, 'data', 'azure')
    expect(await openToOthers(data)).toBe('')
    await pair.pair.kill('dr', 'SIGTERM')
    await run('chmod', ['-R', 'g=rX,o=rX', data])
    await pair.pair.start('dr')
    await insert(1)
    await expectIdentical()
    expect(await openToOthers(data)).toBe('')
    const log = await readFile(join(pair.pair.directory, 'azure.log'), 'utf8')
    // Of the data directory, and of the spool in it.
    expect(log.match(/group or others could read/g)).toHaveLength(2)
  })

  test('ends at once where the data directory is the same', async () => {
    const config = await configWith('twin', { 'admin.socket': '../twin.sock' })
    const twin = start(config)
    const [exitCode] = (await once(twin, 'close')) as [number]
    expect(said).toContain('ERR_GATEWAY_RUNNING')
    expect(exitCode).not.toBe(0)
    await insert(20)
    await expectIdentical()
  })

  test('writes nothing where only the spool is the same, and says so', async () => {
    const config = await configWith('other', {
      dataDir: join(pair.pair.directory, 'data', 'other'),
      'admin.socket': '../other.sock',
      'streams.0.spool.directory': pair.pair.spoolDirectory,
      'streams.0.relay.listen': `127.0.0.1:${await freePort()}`,
    })
    const other = start(config)
    const socket = join(pair.pair.directory, 'other.sock')
    await expect
      .poll(async () => (await fetchStatus(socket).catch(() => null))?.problems ?? [])
      .toContainEqual(expect.objectContaining({ code: 'ERR_SPOOL_LOCKED' }))
    await insert(200)
    const exited = once(other, 'exit')
    other.kill('SIGKILL')
    await exited
    await expectIdentical()
    expect((await pair.pair.status('dr'))?.problems.map(({ code }) => code)).not.toContain(
      'ERR_SPOOL_FENCED',
    )
  })
})
