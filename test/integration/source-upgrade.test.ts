import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { EventType } from '../../src/binlog/event-type.ts'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { needs } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { seeded } from '../helpers/seeded-random.ts'
import { upgradeSystemTables } from '../helpers/servers/mariadb-upgrade.ts'
import { SourceLoad } from '../helpers/source/source-load.ts'

/**
 * A source that moves to a newer version in place, its replica before it, as the vendors advise.
 * MariaDB only: Debian has one version of MySQL, so there is nothing to move from or to.
 */
let pair: ReplicatedPair
let load: SourceLoad

beforeAll(async () => {
  pair = await ReplicatedPair.create('mariadb', { source: { maxBinlogBytes: 1024 ** 2 } })
  load = new SourceLoad(() => pair.source.socket, seeded(7))
  await load.create()
})
beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
afterEach(() => load.stop())
afterAll(async () => {
  await pair?.stop()
})

async function transactionsHeld(): Promise<number> {
  return (await pair.pair.status('dr'))?.streams[0]?.transactionsReceived ?? 0
}

async function expectMore(): Promise<void> {
  const before = await transactionsHeld()
  await pair.eventually(async () => (await transactionsHeld()) > before + 20)
}

async function expectAllEqual(): Promise<void> {
  await load.stop()
  expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  expect(await pair.compareTables()).toMatchObject({ equal: true, failures: [] })
  await pair.readWithTool(...(await pair.spoolFiles()))
}

/** Events of stored files that say 0 where they end, other than at the head of a file. */
async function eventsWithoutEnd(): Promise<number> {
  let count = 0
  for (const path of await pair.spoolFiles()) {
    const bytes = await readFile(path)
    for (let at = 4; at + 19 <= bytes.length; at += bytes.readUInt32LE(at + 9)) {
      const isGroup = bytes[at + 4] !== EventType.FormatDescription
      if (isGroup && bytes.readUInt32LE(at + 13) === 0) count += 1
    }
  }
  return count
}

test(
  'a replica of the newer version goes on at the same relay',
  needs('mariadb', 'newer-mariadb'),
  async () => {
    load.start()
    await expectMore()
    await pair.restart('replica', 'SIGTERM', { release: 'newer' })
    await upgradeSystemTables(pair.replica as RunningServer)
    await expectMore()
    await expectAllEqual()
    expect(await eventsWithoutEnd()).toBe(0)
  },
)

test(
  'then the source moves in place, under load, and the stream goes on',
  needs('mariadb', 'newer-mariadb'),
  async () => {
    const before = pair.source.version
    load.start()
    await expectMore()
    await pair.restart('source', 'SIGTERM', { release: 'newer' })
    expect(pair.source.version).not.toBe(before)
    await upgradeSystemTables(pair.source)
    await expectMore()
    const { streams } = await pair.pair.until('dr', ({ streams: [stream] }) => {
      return stream?.source.serverVersion?.startsWith(pair.source.version) === true
    })
    expect(streams[0]?.spool?.synced?.epoch).toBe(1)
    await expectAllEqual()
    expect(await eventsWithoutEnd()).toBeGreaterThan(0)
  },
)

test(
  'gateways and servers that are killed after it come back as ever',
  needs('mariadb', 'newer-mariadb'),
  async () => {
    const newer = { release: 'newer' } as const
    load.start()
    await expectMore()
    await Promise.all([pair.restartGateway('dr'), pair.restartGateway('production')])
    await expectMore()
    await Promise.all([
      pair.restart('source', 'SIGKILL', newer),
      pair.restart('replica', 'SIGKILL', newer),
    ])
    await expectMore()
    await expectAllEqual()
  },
)
