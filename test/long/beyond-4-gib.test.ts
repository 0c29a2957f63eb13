import { open, stat } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { FileScanner } from '../../src/binlog/file-scanner.ts'
import type { GtidEvent } from '../../src/binlog/gtid-event.ts'
import { addGtidEvent } from '../../src/binlog/gtid-event.ts'
import { parseGtidSet } from '../../src/binlog/gtid-set.ts'
import { followSource, Secret } from '../../src/index.ts'
import {
  fillSpoolDisk,
  freeSpoolDisk,
  mountSpoolDisk,
  unmountBelow,
} from '../../src/lab/hosts/spool-disk.ts'
import type { PositionStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import {
  createBeyondTables,
  HUGE_BYTES,
  SMALL_TRANSACTIONS,
  WRAP_BYTES,
  writeBeyondWrap,
} from '../helpers/pair/beyond-wrap.ts'
import { processBytes, ReplicatedPair, SOURCE_PASSWORD } from '../helpers/pair/replicated-pair.ts'
import { installBlackhole } from '../helpers/servers/blackhole.ts'
import { linkOf } from '../helpers/status/link-of.ts'

const MIB = 1024 ** 2
const MEMORY_BYTES_MAX = 200e6
const SITES = ['production', 'dr'] as const
const LIMIT_SECONDS = 1_200
const LONG_MS = { limitMs: LIMIT_SECONDS * 1_000 }
/** Room for the huge transaction and some of those behind it. */
const ROOM_BYTES = HUGE_BYTES + 160 * MIB
/** After a restart the replica asks for what it lacks by GTID: nothing of this is kept for it. */
const REPLICA = { serverId: 2, arguments: ['--skip-log-bin'] }

/**
 * One file of more than 4 GiB with transactions behind that offset; the first transaction alone
 * has more than 4 GiB. The disk of the spool gets full behind 4 GiB, so that everything stands
 * there for as long as the tests want: the sender parks, gateways and the replica are killed.
 */
describeFlavors('a %s file of more than 4 GiB', { needs: ['root'] }, (flavor) => {
  let pair: ReplicatedPair
  let stopped: PositionStatus | null = null

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, {
      attach: false,
      replica: REPLICA,
      source: { maxBinlogBytes: 1024 ** 3 },
      prepare: async ({ directory, spoolDirectory }) => {
        await mountSpoolDisk({ dataDirectory: directory }, spoolDirectory)
        await fillSpoolDisk(spoolDirectory, ROOM_BYTES)
      },
    })
    await pair.held()
    await createBeyondTables(pair)
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(async () => {
    await pair?.pair.kill('dr')
    await unmountBelow(pair?.pair.directory ?? '/none')
    await pair?.stop()
  })

  const syncedAtDr = async () => (await pair.pair.status('dr'))?.streams[0]?.spool?.synced ?? null

  /** Behind a full disk everybody stands where it stood before. */
  async function expectStopped(): Promise<void> {
    await pair.pair.until(
      'dr',
      ({ problems, links }) => {
        return (
          linkOf({ links }).state === 'up' && problems.some(({ code }) => code === 'ERR_DISK_FULL')
        )
      },
      LONG_MS,
    )
    expect(await syncedAtDr()).toEqual(stopped)
  }

  test('stops behind 4 GiB while the disk is full, and the sender parks', async () => {
    await writeBeyondWrap(pair)
    await pair.pair.until('production', ({ streams }) => streams[0]?.state === 'parked', LONG_MS)
    stopped = await syncedAtDr()
    expect(stopped?.offset).toBeGreaterThan(WRAP_BYTES)
    await expectStopped()
  })

  test('stands there again after every gateway was killed', async () => {
    for (const sites of [['dr'], ['production'], SITES] as const) {
      await Promise.all(sites.map((site) => pair.pair.kill(site)))
      for (const site of sites) await pair.pair.start(site)
      await expectStopped()
    }
  })

  test('feeds a replica up to there that is killed within the transaction', async () => {
    pair.replica = await pair.servers.start(flavor, REPLICA)
    await installBlackhole(pair, pair.replica)
    await pair.attach(pair.replica)
    const sent = (beyond: number) =>
      pair.pair.until(
        'dr',
        ({ streams: [stream] }) => (stream?.replicas[0]?.sent?.offset ?? 0) >= beyond,
        LONG_MS,
      )
    await sent(1024 ** 3)
    await pair.restart('replica', 'SIGKILL')
    await sent(stopped?.offset ?? 0)
    // It compares the heartbeat's place with its own and stops at a wrong one.
    await expectHeartbeats(4)
    await pair.restart('replica', 'SIGKILL')
    await expectHeartbeats(4)
  })

  async function expectHeartbeats(count: number): Promise<void> {
    if (pair.replica === null) throw new Error('there is no replica')
    const sql = await pair.sql(pair.replica)
    const wanted = (await heartbeats()) + count
    await pair.eventually(async () => (await heartbeats()) >= wanted, LONG_MS.limitMs)
    sql.destroy()

    async function heartbeats(): Promise<number> {
      const [rows] = await sql.query(
        flavor === 'mysql'
          ? 'SELECT COUNT_RECEIVED_HEARTBEATS AS Value' +
              ' FROM performance_schema.replication_connection_status'
          : "SHOW GLOBAL STATUS LIKE 'Slave_received_heartbeats'",
      )
      return Number((rows as { Value: unknown }[])[0]?.Value)
    }
  }

  test('goes on when there is room: nothing is lost, memory stays small', async () => {
    await freeSpoolDisk(pair.pair.spoolDirectory)
    expect(await pair.compareSpool(LIMIT_SECONDS)).toMatchObject({ identical: true, failures: [] })
    expect(await pair.compareTables(LIMIT_SECONDS)).toMatchObject({
      equal: true,
      rows: SMALL_TRANSACTIONS + 1,
      failures: [],
    })
    for (const site of SITES) {
      const bytes = await processBytes(pair.pair.pid(site), 'VmHWM')
      console.log(`${flavor} ${site}: at most ${(bytes / 1e6).toFixed(0)} MB resident`)
      expect(bytes).toBeLessThan(MEMORY_BYTES_MAX)
    }
  })

  test('can be read on from a place behind 4 GiB, also where only its end is left', async () => {
    const { path, places } = await placesBehindWrap()
    expect(places).toHaveLength(SMALL_TRANSACTIONS + 1)
    for (const { offset, gtids } of [places[3], places.at(-1)].filter((place) => !!place)) {
      const read = await readOn(path, offset, gtids)
      expect(read).toEqual({ from: offset, to: (await stat(path)).size, different: 0 })
    }
  })

  /** Boundaries in the large file behind 4 GiB, with what is held there. */
  async function placesBehindWrap() {
    const paths = await pair.spoolFiles()
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
    const path = paths[sizes.findIndex((size) => size > WRAP_BYTES)] ?? ''
    const places: { readonly offset: number; readonly gtids: string }[] = []
    let previous = ''
    const started: GtidEvent[] = []
    const scanner = new FileScanner(
      flavor,
      { offset: 0, checksum: true },
      {
        onTransaction: (gtid) => {
          started.push({ ...gtid })
          if (scanner.boundary < WRAP_BYTES) return
          const held = parseGtidSet(flavor, previous)
          for (const one of started) addGtidEvent(held, one)
          places.push({ offset: scanner.boundary, gtids: held.toString() })
        },
        onPreviousGtids: (text) => {
          previous = text
        },
      },
    )
    const file = await open(path, 'r')
    for await (const chunk of file.createReadStream({ highWaterMark: MIB })) scanner.push(chunk)
    return { path, places }
  }

  /** Follows the source from there to the end of the file; how much of it is not as in `path`. */
  async function readOn(path: string, offset: number, gtids: string) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const { source } = (await pair.pair.status('dr'))?.streams[0] ?? {}
    const followed = followSource(
      {
        source: {
          host: '127.0.0.1',
          port: pair.source.port,
          user: 'landbridge',
          password: new Secret(SOURCE_PASSWORD),
          tls: { mode: 'off', caPem: null },
        },
        serverId: 4_100_000_001,
        replicaUuid: '7f3c0a52-93b1-11ef-8a0f-0242ac120002',
        held: {
          source: { flavor, serverId: 1, serverUuid: source?.serverUuid ?? null },
          ...{ file: name, offset, complete: false, gtids },
        },
      },
      { signal: AbortSignal.timeout(LIMIT_SECONDS * 1_000) },
    )
    const stored = await open(path, 'r')
    let [from, to, different] = [-1, 0, 0]
    try {
      for await (const part of followed) {
        if (part.file !== name) break
        if (from < 0) from = part.offset
        const there = Buffer.alloc(part.bytes.length)
        await stored.read(there, 0, there.length, part.offset)
        if (!there.equals(part.bytes)) different += part.bytes.length
        to = part.offset + part.bytes.length
      }
    } finally {
      await stored.close()
    }
    return { from, to, different }
  }
})
