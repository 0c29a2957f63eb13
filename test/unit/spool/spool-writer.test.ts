import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Disk, realDisk } from '../../../src/base/disk.ts'
import { silentLog } from '../../../src/base/log.ts'
import { SpoolStore } from '../../../src/spool/spool-store.ts'
import { SpoolWriter } from '../../../src/spool/spool-writer.ts'
import { begunSpool, diskError, FailingDisk, stored } from '../../helpers/disk/failing-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import {
  epochBeginning,
  epochSource,
  KEEP_ALL,
  SpoolFixture,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const FIRST = recordedFile('mysql', 1)
const SECOND = recordedFile('mysql', 2)
const facts = recordedFacts('mysql')

describe('the spool writer', () => {
  test('publishes and acknowledges only behind a sync', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const seen: string[] = []
    disk.before = (call) => {
      seen.push(`${call} held ${fixture.spool.end()?.offset ?? 0} acked ${fixture.syncedBytes}`)
      return undefined
    }
    await fixture.write(0, FIRST.subarray(0, 158))
    await fixture.write(158, FIRST.subarray(158, 500))
    expect(seen).toEqual([
      'writev held 0 acked 0',
      'datasync held 0 acked 0',
      'writev held 158 acked 158',
      'datasync held 158 acked 158',
    ])
    // 500 is inside the second transaction: its bytes are synced, but not held.
    expect(fixture.syncedBytes).toBe(500)
    expect(fixture.spool.end()).toEqual({ ordinal: 1, offset: 334 })
    expect(fixture.spool.gtids()).toBe(`${facts.uuid}:1`)
    expect(fixture.commitMs).toHaveLength(1)
  })

  test('syncs once for everything that gathered meanwhile', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    await fixture.write(0, FIRST, 100)
    expect(disk.calls.filter((call) => call === 'datasync').length).toBeLessThan(4)
    expect((await stored(folder.path)).equals(FIRST)).toBe(true)
  })

  test('cuts off a transaction that was torn when the next file begins', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begunSpool(folder.path, new FailingDisk())
    await fixture.write(0, FIRST.subarray(0, 500))
    expect((await stored(folder.path)).length).toBe(500)
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, FIRST.subarray(0, 158))
    expect((await stored(folder.path)).equals(FIRST.subarray(0, 334))).toBe(true)
    expect(fixture.spool.end()).toEqual({ ordinal: 2, offset: 158 })
  })

  test('waits on a full disk and goes on by itself', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    let isFull = true
    disk.before = (call) => {
      if (isFull && call === 'writev') throw diskError('ENOSPC')
      return undefined
    }
    fixture.append(0, FIRST)
    await until(() => fixture.clock.sleeping === 1)
    expect(fixture.writer.trouble?.error).toMatchObject({ code: 'ERR_DISK_FULL', retryable: true })
    await fixture.clock.advance(1_000)
    await until(() => fixture.clock.sleeping === 1)
    expect(fixture.syncedBytes).toBe(0)
    isFull = false
    await fixture.clock.advance(1_000)
    await until(() => fixture.syncedBytes === FIRST.length)
    expect(fixture.writer.trouble).toBeNull()
    expect(fixture.broken).toEqual([])
    expect((await stored(folder.path)).equals(FIRST)).toBe(true)
  })

  test('takes a disk that fills up in the middle of a write for a full one', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    let isFull = true
    let writes = 0
    disk.before = (call) => {
      if (call !== 'writev' || !isFull) return undefined
      writes += 1
      if (writes % 2 === 1) return 1_001
      throw diskError('ENOSPC')
    }
    for (let at = 0; at < FIRST.length; at += 700) {
      fixture.append(at, FIRST.subarray(at, at + 700))
    }
    await until(() => fixture.clock.sleeping === 1)
    expect(fixture.writer.trouble?.error.code).toBe('ERR_DISK_FULL')
    isFull = false
    await fixture.clock.advance(1_000)
    await until(() => fixture.syncedBytes === FIRST.length)
    expect(fixture.broken).toEqual([])
    expect((await stored(folder.path)).equals(FIRST)).toBe(true)
  })

  test('writes the rest when the system takes only a part', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    disk.before = (call) => (call === 'writev' ? 333 : undefined)
    await fixture.write(0, FIRST, 500)
    expect((await stored(folder.path)).equals(FIRST)).toBe(true)
    expect(fixture.spool.end()?.offset).toBe(FIRST.length)
  })

  test('ends the session when a sync fails, and starts over from what was held', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    await fixture.write(0, FIRST.subarray(0, 700))
    disk.before = (call) => {
      if (call === 'datasync') throw diskError('EIO')
      return undefined
    }
    fixture.append(700, FIRST.subarray(700))
    await until(() => fixture.broken.length === 1)
    expect(fixture.broken[0]?.code).toBe('ERR_SPOOL_SYNC')
    expect(fixture.spool.end()?.offset).toBe(559)
    // What comes before the session is over is for nothing.
    fixture.append(FIRST.length, SECOND)
    fixture.writer.beginFile('binlog.000002', 0)
    disk.before = () => undefined
    const held = await fixture.writer.rewind()
    expect(held).toMatchObject({ file: 'binlog.000001', offset: 559, gtids: `${facts.uuid}:1-2` })
    expect((await stored(folder.path)).length).toBe(559)
    fixture.writer.beginFile('binlog.000001', 559)
    await fixture.write(559, FIRST.subarray(559))
    expect((await stored(folder.path)).equals(FIRST)).toBe(true)
  })

  test('stores nothing behind bytes that it refused, not even a next file', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begunSpool(folder.path, new FailingDisk())
    const torn = Buffer.from(FIRST)
    torn.writeUInt8(torn.readUInt8(FIRST.length - 60) ^ 1, FIRST.length - 60)
    expect(() => fixture.writer.append(0, torn, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_EVENT_CHECKSUM' }),
    )
    fixture.writer.beginFile('binlog.000002', 0)
    fixture.append(0, SECOND)
    const held = await fixture.writer.rewind()
    expect(held).toBeNull()
    expect(fixture.spool.files()).toEqual([])
    expect(fixture.syncedBytes).toBe(0)
  })

  test('cuts back the older file when a rewind comes while it changes files', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    await fixture.write(0, FIRST.subarray(0, 700))
    const gate = Promise.withResolvers<undefined>()
    disk.before = (call) => (call === 'datasync' ? gate.promise : undefined)
    fixture.append(700, FIRST.subarray(700, 4300))
    fixture.writer.beginFile('binlog.000002', 0)
    fixture.append(0, SECOND)
    await until(() => disk.calls.at(-1) === 'datasync')
    const rewound = fixture.writer.rewind()
    gate.resolve(undefined)
    expect(await rewound).toMatchObject({ file: 'binlog.000001', offset: 559 })
    expect((await stored(folder.path)).length).toBe(559)
    await expect(stored(folder.path, 'binlog.000002')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('keeps what it adds to a closed file when the file behind it came to nothing', async () => {
    await using folder = await temporaryFolder()
    const fixture = await begunSpool(folder.path, new FailingDisk())
    await fixture.write(0, FIRST.subarray(0, 700))
    // As after a crash of the source: another file, though this one ends within a transaction.
    fixture.writer.beginFile('binlog.000002', 0)
    const next = join(folder.path, '000001', 'binlog.000002')
    await until(() => existsSync(next))
    expect(await fixture.writer.rewind()).toMatchObject({ file: 'binlog.000001', offset: 559 })
    expect((await stored(folder.path)).length).toBe(559)
    fixture.writer.beginFile('binlog.000001', 559)
    await fixture.write(559, FIRST.subarray(559))
    await fixture.crash()
    await using again = await SpoolFixture.open(folder.path)
    expect(again.spool.end()).toEqual({ ordinal: 1, offset: FIRST.length })
  })

  test('syncs the name of a new file before a byte counts, at the second attempt too', async () => {
    await using folder = await temporaryFolder()
    const calls: string[] = []
    const disk: Disk = {
      ...realDisk,
      async syncDirectory(path) {
        if (!path.endsWith('000001') || !existsSync(join(path, 'binlog.000001'))) return
        calls.push(path)
        if (calls.length === 1) throw diskError('ENOSPC')
      },
    }
    await using fixture = await SpoolFixture.open(folder.path, { disk })
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'))
    fixture.writer.beginFile('binlog.000001', 0)
    await until(() => fixture.clock.sleeping === 1)
    await fixture.clock.advance(1_000)
    await fixture.write(0, FIRST)
    expect(calls).toHaveLength(2)
  })

  test('fails itself when the failure is none of the disk', async () => {
    await using folder = await temporaryFolder()
    const [clock, log, stop] = [new FakeClock(), silentLog, new AbortController()]
    const store = new SpoolStore({ directory: folder.path, retention: KEEP_ALL, clock, log })
    const writer = new SpoolWriter({
      ...{ store, clock, log },
      onSynced: () => {
        throw new TypeError('a mistake in the program')
      },
      onBroken: () => undefined,
    })
    await writer.open(stop.signal)
    await store.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'))
    writer.beginFile('binlog.000001', 0)
    writer.append(0, FIRST, 0)
    await expect(writer.run(stop.signal)).rejects.toThrow('a mistake in the program')
    await writer.close()
  })

  test('says in which state it is', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    const fixture = await begunSpool(folder.path, disk)
    const { writer } = fixture
    expect(writer.state).toEqual({ state: 'taking' })
    expect(() => fixture.append(0, Buffer.from('no binlog'))).toThrow()
    expect(writer.state).toEqual({ state: 'broken' })
    await writer.rewind()
    expect(writer.state).toEqual({ state: 'taking' })
    const other = new SpoolStore({
      ...{ directory: folder.path, retention: KEEP_ALL, clock: fixture.clock, log: silentLog },
    })
    const second = new SpoolWriter({
      ...{ store: other, clock: fixture.clock, log: silentLog },
      onSynced: () => undefined,
      onBroken: () => undefined,
    })
    const opening = second.open(fixture.signal)
    expect(second.state).toMatchObject({ state: 'recovering' })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_SPOOL_LOCKED' })
    expect(second.state).toEqual({ state: 'closed' })
    await fixture[Symbol.asyncDispose]()
    expect(writer.state).toEqual({ state: 'closed' })
  })

  test('refuses a place that is not where the spool ends', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begunSpool(folder.path, new FailingDisk())
    const position = expect.objectContaining({ code: 'ERR_SPOOL_POSITION' })
    await fixture.write(0, FIRST.subarray(0, 334))
    expect(() => fixture.writer.append(335, FIRST.subarray(335), 0)).toThrow(position)
    expect(() => fixture.writer.beginFile('binlog.000001', 333)).toThrow(position)
    // Right, but not behind a rewind: queued bytes would be written over.
    expect(() => fixture.writer.beginFile('binlog.000001', 334)).toThrow(position)
    expect(() => fixture.writer.beginFile('binlog.000001', 0)).toThrow(
      expect.objectContaining({ code: 'ERR_SPOOL_FILE_EXISTS' }),
    )
  })

  test('closes a file in its index when the next begins, also across a rewind', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begunSpool(folder.path, new FailingDisk())
    await fixture.write(0, FIRST)
    expect(await fixture.writer.rewind()).toMatchObject({ complete: true })
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND)
    const path = join(folder.path, '000001', 'index', 'binlog.000001.json')
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      closed: true,
      bytes: FIRST.length,
      gtidsAfter: fixture.spool.files()[1]?.gtidsBefore,
    })
    expect(fixture.spool.gtids()).toBe(facts.end)
  })
})
