import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { checkLedger, readHistory } from '../../src/lab/chaos/ledger-check.ts'
import { LEDGER_SCHEMA } from '../../src/lab/chaos/ledger-statements.ts'
import { LedgerWriter } from '../../src/lab/chaos/ledger-writer.ts'
import { epochFolders } from '../../src/lab/compare/spool-files.ts'
import {
  fillSpoolDisk,
  fillSpoolInodes,
  freeSpoolDisk,
  freeSpoolInodes,
  mountSpoolDisk,
  unmountBelow,
} from '../../src/lab/hosts/spool-disk.ts'
import type { GatewayStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { processBytes, ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { linkOf } from '../helpers/status/link-of.ts'
import { runStatusCommand } from '../helpers/status/status-command.ts'

const MIB = 1024 ** 2
/** The field's case is ten minutes; the sender parks after half a minute, which is the shortest. */
const FULL_MS = Number(process.env.LANDBRIDGE_DISK_FULL_MINUTES ?? 0.75) * 60_000
const TEST_MS = FULL_MS * 2 + 240_000
const CATCH_UP_SECONDS = 60 + FULL_MS / 1_000
const MEMORY_BYTES_MAX = 200e6
const TRANSACTIONS_PER_SECOND = 30

/** The spool has a real file system of its own, and the source is written to all the time. */
describeFlavors('a %s pair with a full disk at DR', { needs: ['root'] }, (flavor) => {
  let pair: ReplicatedPair
  let writer: LedgerWriter
  const writing = new AbortController()
  let written: Promise<void> = Promise.resolve()

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, {
      source: { maxBinlogBytes: 4 * MIB },
      prepare: ({ directory, spoolDirectory }) =>
        mountSpoolDisk({ dataDirectory: directory }, spoolDirectory),
    })
    writer = new LedgerWriter({
      socket: pair.source.socket,
      clock: systemClock,
      writers: 3,
      transactionsPerSecond: TRANSACTIONS_PER_SECOND,
      seed: 1,
    })
    await writer.prepare()
    written = writer.run(writing.signal)
  })
  afterAll(async () => {
    writing.abort()
    await written
    await pair?.pair.kill('dr')
    await unmountBelow(pair?.pair.directory ?? '')
    await pair?.stop()
  })

  const acknowledged = (): number => writer.ledger.acknowledged.size

  async function status(): Promise<GatewayStatus> {
    const told = await pair.pair.status('dr')
    if (told === null) throw new Error('the gateway of the copy does not answer')
    return told
  }

  const syncedAt = ({ streams: [stream] }: GatewayStatus): string =>
    `${stream?.spool?.synced?.file}:${stream?.spool?.synced?.offset}`

  /** Dumps that the source has open for the gateway. */
  async function dumps(): Promise<number> {
    const sql = await pair.sql()
    const [rows] = await sql.query<RowDataPacket[]>('SHOW PROCESSLIST')
    sql.destroy()
    return rows.filter(({ Command }) => /Binlog Dump/.test(String(Command))).length
  }

  async function expectAlarm(): Promise<void> {
    const { state, problems } = await status()
    expect(state).toBe('degraded')
    const problem = problems.find(({ code }) => code === 'ERR_DISK_FULL')
    expect(problem).toMatchObject({ severity: 'error', where: 'spool:main' })
    const answer = await runStatusCommand(pair.pair.configPath('dr'))
    expect(answer.exitCode).toBe(1)
    expect(answer.text).toContain('ERR_DISK_FULL')
    expect(answer.text).toContain('Free space or enlarge the disk')
    expect(await pair.pair.metrics('dr')).toMatch(
      /landbridge_problem\{code="ERR_DISK_FULL",severity="error",where="spool:main"\} 1/,
    )
  }

  /** Every second until `endMs`: nothing is acknowledged, the alarm stays, memory does not grow. */
  async function watchWhileFull(endMs: number): Promise<number> {
    const before = syncedAt(await status())
    let peakBytes = 0
    while (performance.now() < endMs) {
      const told = await status()
      expect(syncedAt(told)).toBe(before)
      expect(told.problems.map(({ code }) => code)).toContain('ERR_DISK_FULL')
      peakBytes = Math.max(peakBytes, await processBytes(pair.pair.pid('dr'), 'VmRSS'))
      await sleep(1_000)
    }
    return peakBytes
  }

  async function expectNothingLostOrDoubled(): Promise<void> {
    expect(await pair.compareSpool(CATCH_UP_SECONDS)).toMatchObject({
      identical: true,
      failures: [],
    })
    expect(await pair.compareTables(CATCH_UP_SECONDS)).toMatchObject({ equal: true, failures: [] })
    const { replica, pair: gateways } = pair
    if (replica === null) throw new Error('there is no replica')
    const epochs = await epochFolders(gateways.spoolDirectory)
    expect(epochs).toHaveLength(1)
    const sql = await pair.sql(replica)
    const [rows] = await sql.query<RowDataPacket[]>(
      `SELECT txn, COUNT(*) AS times FROM ${LEDGER_SCHEMA}.trace GROUP BY txn`,
    )
    const report = checkLedger({
      ledger: writer.ledger,
      spool: await readHistory(flavor, epochs[0] ?? ''),
      replica: await readHistory(flavor, replica.binlogDirectory),
      applied: new Map(rows.map(({ txn, times }) => [Number(txn), Number(times)])),
    })
    expect(report).toEqual({ lost: 0, doubled: 0, failures: [] })
  }

  test('alarms, lets the source go, and loses nothing', { timeout: TEST_MS }, async () => {
    onTestFailed(async () => console.error(await pair.logTails()))
    await pair.eventually(() => acknowledged() > 5 * TRANSACTIONS_PER_SECOND)
    const atStart = { ms: performance.now(), transactions: acknowledged() }
    await fillSpoolDisk(pair.pair.spoolDirectory, 0)
    await pair.pair.until('dr', isAlarmed)
    const fullMs = performance.now()
    await expectAlarm()
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'parked')
    const parkedMs = performance.now()
    await pair.eventually(async () => (await dumps()) === 0)
    const peakBytes = await watchWhileFull(fullMs + FULL_MS)
    await expectAlarm()
    expect(await dumps()).toBe(0)
    expect(peakBytes).toBeLessThan(MEMORY_BYTES_MAX)
    // Commits at the source went on as fast as they were asked for.
    const seconds = (performance.now() - atStart.ms) / 1_000
    const rate = (acknowledged() - atStart.transactions) / seconds
    expect(rate).toBeGreaterThan(TRANSACTIONS_PER_SECOND / 2)

    const told = await status()
    const waitingBytes = told.streams[0]?.receiveLag?.bytes ?? 0
    expect(waitingBytes).toBeGreaterThan(0)
    await freeSpoolDisk(pair.pair.spoolDirectory)
    const freedMs = performance.now()
    const limitMs = CATCH_UP_SECONDS * 1_000
    const quick = { everyMs: 20, limitMs }
    await pair.pair.until('dr', (next) => syncedAt(next) !== syncedAt(told), quick)
    const firstMs = performance.now()
    await pair.pair.until(
      'dr',
      ({ state, streams }) =>
        state === 'ok' && (streams[0]?.receiveLag?.bytes ?? Number.POSITIVE_INFINITY) < MIB / 4,
      quick,
    )
    const caughtUpMs = performance.now()
    console.log(
      `${flavor}: disk full for ${((freedMs - fullMs) / 1_000).toFixed(0)} s, parked after ` +
        `${((parkedMs - fullMs) / 1_000).toFixed(0)} s, ${rate.toFixed(1)} commits/s at the ` +
        `source, ${(peakBytes / 1e6).toFixed(0)} MB resident at most; ` +
        `${(waitingBytes / 1e6).toFixed(1)} MB waiting; after room was made: first byte synced ` +
        `after ${(firstMs - freedMs).toFixed(0)} ms, caught up after ` +
        `${((caughtUpMs - freedMs) / 1_000).toFixed(1)} s`,
    )
    writing.abort()
    await written
    await expectNothingLostOrDoubled()
    expect(await readFile(join(pair.pair.directory, 'azure.log'), 'utf8')).toContain(
      'ERR_DISK_FULL',
    )
  })

  test('serves what is stored when the gateway of the copy starts on it', async () => {
    onTestFailed(async () => console.error(await pair.logTails()))
    const sql = await pair.sql()
    // What a gateway leaves behind when it ends in order is there no more.
    await pair.pair.kill('dr', 'SIGTERM')
    await fillSpoolDisk(pair.pair.spoolDirectory, 0)
    await pair.pair.start('dr')
    const isServed = ({ streams: [stream] }: GatewayStatus): boolean =>
      stream?.replicas[0]?.state === 'caught-up'
    await pair.pair.until('dr', isServed)
    await sql.query(`INSERT INTO ${LEDGER_SCHEMA}.bulk (bytes) VALUES (REPEAT('b', ${MIB}))`)
    await pair.pair.until('dr', (told) => isServed(told) && isAlarmed(told))
    await freeSpoolDisk(pair.pair.spoolDirectory)
    await pair.pair.until('dr', ({ state }) => state === 'ok')
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  })

  test('serves what is stored where no inode is free, and names inodes', async () => {
    onTestFailed(async () => console.error(await pair.logTails()))
    const sql = await pair.sql()
    const { spoolDirectory } = pair.pair
    await pair.pair.kill('dr', 'SIGTERM')
    await fillSpoolInodes(spoolDirectory)
    await pair.pair.start('dr')
    const isServed = ({ streams: [stream] }: GatewayStatus): boolean =>
      stream?.replicas[0]?.state === 'caught-up'
    await pair.pair.until('dr', isServed)
    // Bytes there are; what lacks a place is the next file.
    await sql.query(`INSERT INTO ${LEDGER_SCHEMA}.bulk (bytes) VALUES (REPEAT('b', ${MIB}))`)
    await sql.query('FLUSH BINARY LOGS')
    const { problems } = await pair.pair.until('dr', (told) => isServed(told) && isAlarmed(told))
    expect(problems.find(({ code }) => code === 'ERR_DISK_FULL')).toMatchObject({
      message: expect.stringContaining('no inode is free'),
      remedy: expect.stringContaining('df -i'),
    })
    await freeSpoolInodes(spoolDirectory)
    await pair.pair.until('dr', ({ state }) => state === 'ok')
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  })

  test('waits without a spool for room to begin one, and keeps the link', async () => {
    onTestFailed(async () => console.error(await pair.logTails()))
    const { pair: gateways, replica } = pair
    if (replica === null) throw new Error('there is no replica')
    writing.abort()
    await written
    // It is ahead of a spool that begins anew.
    await pair.control(replica, 'STOP')
    await gateways.kill('dr')
    await rm(gateways.spoolDirectory, { recursive: true })
    await rm(gateways.spoolMemoryPath)
    await mkdir(join(gateways.spoolDirectory, '000001', 'index'), { recursive: true })
    await fillSpoolDisk(gateways.spoolDirectory, 0)
    await gateways.start('dr')
    const link = linkOf(await gateways.until('dr', isAlarmed))
    await expectAlarm()
    const [sessions] = await Promise.all([link.sessions, sleep(5_000)])
    const later = await status()
    expect(isAlarmed(later)).toBe(true)
    expect(linkOf(later).sessions).toBe(sessions)
    await freeSpoolDisk(gateways.spoolDirectory)
    await gateways.until('dr', (told) => !isAlarmed(told) && told.streams[0]?.state === 'streaming')
    await pair.synced()
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  })
})

function isAlarmed({ problems }: GatewayStatus): boolean {
  return problems.some(({ code }) => code === 'ERR_DISK_FULL')
}
