import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { connectSql } from '../../src/lab/servers/sql-connection.ts'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { linkOf } from '../helpers/status/link-of.ts'

const run = promisify(execFile)
const MIB = 1024 ** 2
const RATE_BYTES = 8 * MIB

/** What does not depend on the flavour is shown on MariaDB, which starts sooner. */
describe('a mariadb pair with limits', needs('root', 'mariadb'), () => {
  let pair: ReplicatedPair

  beforeAll(async () => {
    pair = await ReplicatedPair.create('mariadb', {
      source: { maxBinlogBytes: 4 * MIB },
      gateways: {
        throttle: { bytesPerSecond: '8MiB' },
        // What is counted is what is sent: rows that are all alike would shrink to nothing.
        link: { compression: 'none' },
        spool: { retention: { size: '36MiB' } },
      },
      prepare: async ({ spoolDirectory }) => {
        await mkdir(spoolDirectory, { recursive: true })
        await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', spoolDirectory])
      },
    })
    const sql = await pair.sql()
    await sql.query(
      'CREATE DATABASE d; CREATE TABLE d.t (v LONGBLOB);' +
        'CREATE TABLE d.four (n INT); INSERT INTO d.four VALUES (1), (2), (3), (4)',
    )
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(async () => {
    await pair?.pair.kill('dr')
    await run('umount', [pair?.pair.spoolDirectory ?? ''])
    await pair?.stop()
  })

  /** Transactions of 4 MiB, each in a file of its own. */
  async function write(transactions: number): Promise<void> {
    const sql = await pair.sql()
    for (let done = 0; done < transactions; done += 1) {
      await sql.query(`INSERT INTO d.t SELECT REPEAT('v', ${MIB}) FROM d.four`)
    }
    await sql.query('TRUNCATE TABLE d.t')
    sql.destroy()
  }

  test('is held to the rate it is given, and shows how far it is behind', async () => {
    const sql = await pair.sql()
    await sql.query('BEGIN')
    for (let rows = 0; rows < 16; rows += 4) {
      await sql.query(`INSERT INTO d.t SELECT REPEAT('v', ${MIB}) FROM d.four`)
    }
    const before = (await pair.pair.status('dr'))?.streams[0]?.bytesReceived ?? 0
    const startedMs = performance.now()
    // All of it is there at once: it is behind for two seconds, however slow the source is.
    await sql.query('COMMIT; TRUNCATE TABLE d.t')
    const { streams } = await pair.pair.until(
      'dr',
      ({ streams: [stream] }) => (stream?.receiveLag?.bytes ?? 0) > MIB,
    )
    expect(streams[0]?.receiveLag?.transactions).toBeGreaterThan(0)
    sql.destroy()
    await pair.synced()
    const seconds = (performance.now() - startedMs) / 1_000
    const bytes = ((await pair.pair.status('dr'))?.streams[0]?.bytesReceived ?? 0) - before
    expect(bytes).toBeGreaterThan(16 * MIB)
    // Three tenths of a second's worth may pass at once.
    expect(bytes / seconds / RATE_BYTES).toBeLessThan(1.25)
    expect(bytes / seconds / RATE_BYTES).toBeGreaterThan(0.1)
  })

  test('raises an alarm when the disk of the spool is full, and goes on after', async () => {
    await write(3)
    const { problems, state } = await pair.pair.until('dr', (status) =>
      status.problems.some(({ code }) => code === 'ERR_DISK_FULL'),
    )
    expect(state).not.toBe('ok')
    expect(problems.find(({ code }) => code === 'ERR_DISK_FULL')?.remedy).toContain('space')
    await sleep(1_000)
    await run('mount', ['-o', 'remount,size=300m', pair.pair.spoolDirectory])
    await pair.pair.until('dr', (status) => status.state === 'ok')
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('keeps what a stopped replica still needs, and removes it afterwards', async () => {
    const { replica } = pair
    if (replica === null) throw new Error('there is no replica')
    await pair.control(replica, 'STOP')
    const oldestBefore = (await pair.pair.status('dr'))?.streams[0]?.spool?.oldestFile
    await write(10)
    await pair.synced()
    const kept = (await pair.pair.status('dr'))?.streams[0]?.spool?.bytes
    expect(kept).toBeGreaterThan(40 * MIB)
    await pair.control(replica, 'START')
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
    await write(2)
    const after = await pair.pair.until(
      'dr',
      ({ streams: [stream] }) => (stream?.spool?.bytes ?? Infinity) < 42 * MIB,
    )
    expect(after.streams[0]?.spool?.oldestFile).not.toBe(oldestBefore)
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('says that the peer is silent, and goes on when it speaks again', async () => {
    const { pair: gateways } = pair
    for (const [silent, other] of [
      ['production', 'dr'],
      ['dr', 'production'],
    ] as const) {
      process.kill(gateways.pid(silent), 'SIGSTOP')
      await gateways.until(other, ({ problems }) => problems.some(({ where }) => where === 'link'))
      await write(1)
      process.kill(gateways.pid(silent), 'SIGCONT')
      await gateways.until(other, ({ streams }) => streams[0]?.state === 'streaming')
    }
    await pair.synced()
    expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  })

  test('refuses a peer whose certificate is another than the peer file says', async () => {
    const path = join(pair.pair.directory, 'peers', 'ec2.yaml')
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace(/sha256:[0-9a-f]{64}/, `sha256:${'0'.repeat(64)}`))
    await pair.restartGateway('dr')
    await pair.pair.until(
      'dr',
      ({ links, problems }) =>
        linkOf({ links }).state === 'down' &&
        problems.some(({ code }) => code === 'ERR_LINK_FINGERPRINT'),
    )
    await writeFile(path, text)
    await pair.restartGateway('dr')
    await pair.pair.until('dr', (status) => status.state === 'ok')
  })

  test('refuses a wrong password at the relay and does not write it down', async () => {
    const login = { port: pair.pair.relayPort, user: 'replica', password: 'not-the-password' }
    await expect(connectSql(login)).rejects.toThrow()
    const log = await pair.log('dr')
    expect(log).not.toContain('not-the-password')
    expect(log).not.toContain(pair.pair.relayPassword)
  })
})
