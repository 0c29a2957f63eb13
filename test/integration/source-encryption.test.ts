import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { findServerBinaries } from '../../src/lab/servers/server-binaries.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { encryptedSource } from '../helpers/source/encrypted-source.ts'

const run = promisify(execFile)
const SECRET = 'a secret that nobody reads on the disk'
const SITES = ['production', 'dr'] as const

/**
 * Encrypted files arrive decrypted, as at any replica: the measure is what the flavour's own tool
 * fetches. MySQL can change its key at run time; MariaDB's file_key_management has one version of
 * each key, so there only new files are begun. MySQL's files have 512 bytes more on the disk;
 * MariaDB's have an event that says how they are encrypted, which is sent as one to be ignored.
 */
describeFlavors('a %s source with encrypted files', (flavor) => {
  let keys: string
  let pair: ReplicatedPair

  beforeAll(async () => {
    keys = await mkdtemp(join(tmpdir(), 'lb-keys-'))
    const source = await encryptedSource(flavor, keys)
    pair = await ReplicatedPair.create(flavor, { source })
    await write(
      'CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT)',
    )
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(async () => {
    await pair?.stop()
    await rm(keys, { recursive: true, force: true })
  })

  async function write(...statements: readonly string[]): Promise<void> {
    const sql = await pair.sql()
    for (const statement of statements) await sql.query(statement)
    sql.destroy()
  }

  const insert = (text: string) => `INSERT INTO d.t (v) VALUES ('${text}')`
  const changeKey =
    flavor === 'mysql' ? 'ALTER INSTANCE ROTATE BINLOG MASTER KEY' : 'FLUSH BINARY LOGS'

  /** Every closed file, fetched from the source by the flavour's tool, is the spool's. */
  async function expectAsFetched(): Promise<void> {
    await write('FLUSH BINARY LOGS')
    await pair.synced()
    const names = await sourceFiles()
    const paths = await pair.spoolFiles()
    await pair.eventually(async () => {
      return (await pair.spoolFiles()).some((path) => path.endsWith(names.at(-1) ?? ''))
    })
    expect(paths.map((path) => basename(path))).toEqual(expect.arrayContaining(names.slice(0, -1)))
    const prefix = join(pair.servers.directory, 'fetched-')
    for (const name of names.slice(0, -1)) {
      await fetchWithTool(name, prefix)
      const fetched = await readFile(`${prefix}${name}`)
      const stored = await readFile(paths.find((path) => path.endsWith(name)) ?? '')
      expect(stored.equals(fetched), name).toBe(true)
    }
    await pair.readWithTool(...paths)
  }

  async function sourceFiles(): Promise<string[]> {
    const sql = await pair.sql()
    const [rows] = await sql.query('SHOW BINARY LOGS')
    sql.destroy()
    return (rows as { Log_name: string }[]).map((row) => row.Log_name)
  }

  async function fetchWithTool(name: string, prefix: string): Promise<void> {
    const { binlogTool } = await findServerBinaries(flavor)
    const [command = '', ...leading] = binlogTool
    const login = [`--socket=${pair.source.socket}`, '--user=root']
    const raw = ['--read-from-remote-server', '--raw', `--result-file=${prefix}`]
    await run(command, [...leading, '--no-defaults', ...login, ...raw, name])
  }

  test('is stored decrypted, as its own tool fetches it', async () => {
    await write(insert(SECRET), insert(SECRET))
    await expectAsFetched()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    const [name = ''] = await sourceFiles()
    const onDisk = await readFile(join(pair.source.binlogDirectory, name))
    expect(onDisk.includes(SECRET)).toBe(false)
    const [path = ''] = await pair.spoolFiles()
    expect((await readFile(path)).includes(SECRET)).toBe(true)
  })

  test('goes on inside a file when gateways are killed', async () => {
    for (const sites of [['production'], ['dr'], SITES] as const) {
      await write(insert('before'))
      await pair.synced()
      await Promise.all(sites.map((site) => pair.pair.kill(site)))
      await write(insert('while they are away'), insert('r'.repeat(100_000)))
      for (const site of sites) await pair.pair.start(site)
      await pair.synced()
    }
    await expectAsFetched()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('goes on through new keys and files, also while nobody reads', async () => {
    await write(insert('of the old key'), changeKey, insert('of the new key'))
    await pair.pair.kill('production')
    await write(insert('old'), changeKey, insert('new'), 'FLUSH BINARY LOGS', insert('newer'))
    await pair.pair.start('production')
    await pair.synced()
    await expectAsFetched()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('goes on after the source was killed and stopped', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await write(insert('before'))
      await pair.synced()
      await pair.restart('source', signal)
      await write(insert('after'))
      await pair.synced()
    }
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    await pair.pair.until('dr', ({ streams: [stream] }) => stream?.receiveLag?.bytes === 0)
  })
})
