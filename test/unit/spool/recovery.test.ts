import { mkdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import { silentLog } from '../../../src/base/log.ts'
import { recoverFile } from '../../../src/binlog/file-recovery.ts'
import { SpoolStore } from '../../../src/spool/spool-store.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { eventsOf, fixtureBytes, recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { BinlogBytes } from '../../helpers/source/binlog-bytes.ts'
import { type Boundary, boundariesOf } from '../../helpers/source/transaction-boundaries.ts'
import {
  epochBeginning,
  epochSource,
  KEEP_ALL,
  namesIn,
  SpoolFixture,
  temporaryFolder,
} from '../../helpers/spool/spool-fixture.ts'

const SOURCE = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const FLAVORS = ['mysql', 'mariadb'] as const
const never = new AbortController().signal

async function loaded(directory: string): Promise<SpoolStore> {
  const clock = new FakeClock()
  const store = new SpoolStore({ directory, retention: KEEP_ALL, clock, log: silentLog })
  await store.open(never)
  return store
}

/** Both recorded files, stored through the writer. */
async function storeBoth(directory: string, flavor: Flavor): Promise<void> {
  await using fixture = await SpoolFixture.open(directory)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
  for (const n of [1, 2] as const) {
    fixture.writer.beginFile(`binlog.00000${n}`, 0)
    await fixture.write(0, recordedFile(flavor, n), 1000)
  }
}

describe.each(FLAVORS)('a file of %s that ends anywhere', (flavor) => {
  const file = recordedFile(flavor, 1)
  const boundaries = boundariesOf(flavor, file)

  test('is cut to the last whole transaction, at every byte', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'f')
    await writeFile(path, file)
    expect(boundaries.length).toBeGreaterThan(12)
    for (let bytes = file.length; bytes >= 0; bytes -= 1) {
      await truncate(path, bytes)
      const found = await recoverFile(path, flavor, '', { offset: 0, checksum: false }, never)
      const kept = boundaries.findLast(({ offset }) => offset <= bytes) as Boundary
      const isRight =
        found.keptBytes === kept.offset &&
        found.gtidsAfter === kept.gtids &&
        found.droppedBytes === bytes - kept.offset &&
        found.stoppedBy === null &&
        found.complete === (bytes === file.length)
      if (!isRight) expect([bytes, found]).toEqual([bytes, kept])
    }
  })

  test('is cut before the event whose bytes are torn', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'f')
    for (const event of eventsOf(file)) {
      const torn = Buffer.from(file)
      torn.writeUInt8(torn.readUInt8(event.end - 1) ^ 0x40, event.end - 1)
      await writeFile(path, torn)
      const found = await recoverFile(path, flavor, '', { offset: 0, checksum: false }, never)
      const kept = boundaries.findLast(({ offset }) => offset <= event.start) as Boundary
      expect([event.start, found.keptBytes]).toEqual([event.start, kept.offset])
      expect(found.gtidsAfter).toBe(kept.gtids)
      expect(found.stoppedBy).toBe('ERR_EVENT_CHECKSUM')
    }
  })

  test('is taken up at a checkpoint in its middle with the same result', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'f')
    await writeFile(path, file)
    const whole = await recoverFile(path, flavor, '', { offset: 0, checksum: false }, never)
    for (const { offset, gtids } of boundaries.slice(1)) {
      const found = await recoverFile(path, flavor, gtids, { offset, checksum: true }, never)
      expect(found.keptBytes).toBe(whole.keptBytes)
      expect(found.gtidsAfter).toBe(whole.gtidsAfter)
    }
  })

  test('is read without checksums where the source writes none', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'f')
    const plain = fixtureBytes(`${flavor}-plain.hex`)
    await writeFile(path, plain)
    const found = await recoverFile(path, flavor, '', { offset: 0, checksum: true }, never)
    expect(found).toMatchObject({ keptBytes: plain.length, checksum: false, transactions: 6 })
  })
})

describe.each(FLAVORS)('a spool of %s that is opened again', (flavor) => {
  const facts = recordedFacts(flavor)

  test('holds what was stored, and says where the source goes on', async () => {
    await using folder = await temporaryFolder()
    await storeBoth(folder.path, flavor)
    const store = await loaded(folder.path)
    const { spool } = store
    expect(spool.gtids()).toBe(facts.end)
    expect(spool.held()).toMatchObject({ epoch: 1, file: 'binlog.000002', gtids: facts.end })
    for (const n of [1, 2] as const) {
      const stored = await readFile(join(folder.path, '000001', `binlog.00000${n}`))
      expect(stored.equals(recordedFile(flavor, n))).toBe(true)
    }
    await store.close()
  })

  test.each([
    ['missing', async (path: string) => await unlink(path)],
    ['damaged', async (path: string) => await writeFile(path, '{"format":1,')],
    ['of another shape', async (path: string) => await writeFile(path, '{"format":1,"bytes":"x"}')],
    [
      'wrong about its GTIDs',
      async (path: string) => {
        const record = JSON.parse(await readFile(path, 'utf8')) as object
        await writeFile(path, JSON.stringify({ ...record, gtidsAfter: 'no gtid' }))
      },
    ],
  ])('scans a file again whose index record is %s', async (_what, spoil) => {
    await using folder = await temporaryFolder()
    await storeBoth(folder.path, flavor)
    await spoil(join(folder.path, '000001', 'index', 'binlog.000001.json'))
    const store = await loaded(folder.path)
    const { spool } = store
    expect(spool.gtids()).toBe(facts.end)
    expect(spool.files().map(({ ordinal }) => ordinal)).toEqual([1, 2])
    await store.close()
  })

  test('drops a file that has no whole event yet', async () => {
    for (const bytes of [0, 3, 4, 60]) {
      await using folder = await temporaryFolder()
      await storeBoth(folder.path, flavor)
      const path = join(folder.path, '000001', 'binlog.000003')
      await writeFile(path, recordedFile(flavor, 1).subarray(0, bytes))
      const store = await loaded(folder.path)
      const { spool } = store
      expect(spool.held()).toMatchObject({ file: 'binlog.000002' })
      expect(await namesIn(join(folder.path, '000001'))).not.toContain('binlog.000003')
      await store.close()
    }
  })

  test('keeps what its epoch stands on when it was killed before any checkpoint', async () => {
    await using folder = await temporaryFolder()
    const before = flavor === 'mysql' ? `${facts.uuid}:1-5:gone:1-2` : '3-9-44,0-7-1'
    const fixture = await SpoolFixture.open(folder.path)
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start', before))
    fixture.writer.beginFile('binlog.000001', 0)
    await fixture.write(0, recordedFile(flavor, 1))
    const held = fixture.spool.gtids()
    const purged = fixture.spool.purgedGtids()
    await fixture.crash()
    const store = await loaded(folder.path)
    const { spool } = store
    expect(spool.gtids()).toBe(held)
    expect(spool.purgedGtids()).toBe(purged)
    await store.close()
  })

  test('asks the oldest file itself what it stands on when all records are gone', async () => {
    await using folder = await temporaryFolder()
    await storeBoth(folder.path, flavor)
    await rm(join(folder.path, '000001', 'index'), { recursive: true })
    await mkdir(join(folder.path, '000001', 'index'))
    await unlink(join(folder.path, '000001', 'binlog.000001'))
    const store = await loaded(folder.path)
    const { spool } = store
    const [first] = spool.files()
    expect(first?.gtidsBefore).not.toBe('')
    expect(spool.purgedGtids()).toBe(first?.gtidsBefore)
    expect(spool.gtids()).toBe(facts.end)
    await store.close()
  })

  test('asks it also where that is a long list', async () => {
    await using folder = await temporaryFolder()
    const list = Array.from({ length: 5_000 }, (_, index) => {
      return { domainId: index + 1, serverId: 1, sequence: 5n }
    })
    const numbers = list.map((_, index) => 2 * index + 1)
    const before = {
      mysql: `${SOURCE}:${numbers.join(':')}`,
      mariadb: list.map(({ domainId }) => `${domainId}-1-5`).join(),
    }[flavor]
    const gtid = { domainId: 6_000, serverId: 1, sequence: 6n }
    const file = new BinlogBytes()
    if (flavor === 'mysql') file.previousGtids(before).mysqlTransaction(SOURCE, 1_000_000)
    else file.gtidList(...list).mariadbTransaction(gtid)
    {
      await using fixture = await SpoolFixture.open(folder.path)
      await fixture.writer.rewind()
      await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
      fixture.writer.beginFile('binlog.000007', 0)
      await fixture.write(0, file.take())
    }
    await rm(join(folder.path, '000001', 'index'), { recursive: true })
    await mkdir(join(folder.path, '000001', 'index'))
    const store = await loaded(folder.path)
    expect(store.spool.purgedGtids()).toBe(before)
    const last = { mysql: ':1000000', mariadb: ',6000-1-6' }[flavor]
    expect(store.spool.gtids()).toBe(before + last)
    await store.close()
  })

  test('refuses a closed file that became shorter, and leaves it as it is', async () => {
    await using folder = await temporaryFolder()
    await storeBoth(folder.path, flavor)
    const path = join(folder.path, '000001', 'binlog.000001')
    await truncate(path, 1000)
    await expect(loaded(folder.path)).rejects.toMatchObject({ code: 'ERR_SPOOL_FILE' })
    expect((await stat(path)).size).toBe(1000)
  })

  test('refuses a chain from which a file was taken away', async () => {
    await using folder = await temporaryFolder()
    await storeBoth(folder.path, flavor)
    {
      await using fixture = await SpoolFixture.open(folder.path)
      await fixture.writer.rewind()
      fixture.writer.beginFile('binlog.000003', 0)
      await fixture.write(0, recordedFile(flavor, 2).subarray(0, -1))
      // Closed by hand, as if another file had followed.
      const path = join(folder.path, '000001', 'index', 'binlog.000003.json')
      await fixture.store.closeNewest()
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ closed: true })
    }
    const path = join(folder.path, '000001', 'index', 'binlog.000003.json')
    const record = { ...(JSON.parse(await readFile(path, 'utf8')) as object), closed: true }
    await writeFile(path, JSON.stringify(record))
    await unlink(join(folder.path, '000001', 'binlog.000002'))
    await expect(loaded(folder.path)).rejects.toMatchObject({ code: 'ERR_SPOOL_FILE' })
  })

  test.each([
    ['missing', async (path: string) => await unlink(path)],
    ['damaged', async (path: string) => await writeFile(path, 'x')],
    ['of another format', async (path: string) => await writeFile(path, '{"format":2}')],
  ])('refuses an epoch whose record is %s, and gives the lock back', async (_what, spoil) => {
    await using folder = await temporaryFolder()
    await storeBoth(folder.path, flavor)
    const path = join(folder.path, '000001', 'epoch.json')
    const good = await readFile(path)
    await spoil(path)
    await expect(loaded(folder.path)).rejects.toMatchObject({ code: 'ERR_SPOOL_FORMAT' })
    await writeFile(path, good)
    const store = await loaded(folder.path)
    const { spool } = store
    expect(spool.gtids()).toBe(facts.end)
    await store.close()
  })
})
