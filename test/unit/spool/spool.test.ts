import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Disk, realDisk } from '../../../src/base/disk.ts'
import type { LogFile } from '../../../src/binlog/log.ts'
import type { Spool } from '../../../src/spool/spool.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import {
  epochBeginning,
  epochSource,
  namesIn,
  SpoolFixture,
  type SpoolFixtureOptions,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const FIRST = recordedFile('mariadb', 1)
const SECOND = recordedFile('mariadb', 2)
const facts = recordedFacts('mariadb')

async function filled(path: string, options: SpoolFixtureOptions = {}): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open(path, options)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource('mariadb'), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  await fixture.write(0, FIRST)
  return fixture
}

describe('the lock of a spool', () => {
  test('refuses a second owner while the first one lives', async () => {
    await using folder = await temporaryFolder()
    await using _fixture = await filled(folder.path)
    await expect(SpoolFixture.open(folder.path)).rejects.toMatchObject({
      code: 'ERR_SPOOL_LOCKED',
      retryable: true,
    })
    expect(await namesIn(folder.path)).toEqual(['000001', 'replicas.json'])
  })

  test('is free after the spool was closed', async () => {
    await using folder = await temporaryFolder()
    await (await filled(folder.path))[Symbol.asyncDispose]()
    await using fixture = await SpoolFixture.open(folder.path)
    expect(fixture.spool.gtids()).not.toBe('')
  })

  test('goes with the folder: its open file takes bytes that nobody acknowledges', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await using fixture = await filled(path)
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND.subarray(0, 400))
    const { syncedBytes } = fixture
    await rename(path, join(folder.path, 'away'))
    await mkdir(path)
    fixture.append(400, SECOND.subarray(400))
    await until(() => fixture.broken.length > 0)
    expect(fixture.writer.trouble?.error).toMatchObject({ code: 'ERR_SPOOL_FENCED' })
    expect(fixture.syncedBytes).toBe(syncedBytes)
  })

  test('goes with the folder: what took its place is neither cut nor written', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'spool')
    await using fixture = await filled(path)
    const stored = join('000001', 'binlog.000001')
    await rename(path, join(folder.path, 'away'))
    await cp(join(folder.path, 'away'), path, { recursive: true })
    fixture.writer.beginFile('binlog.000002', 0)
    fixture.append(0, SECOND)
    await until(() => fixture.broken.length > 0)
    expect(fixture.writer.trouble?.error).toMatchObject({ code: 'ERR_SPOOL_FENCED' })
    await expect(fixture.writer.rewind()).rejects.toMatchObject({ code: 'ERR_SPOOL_FENCED' })
    expect(await fixture.store.applyRetention()).toEqual([])
    for (const place of [path, join(folder.path, 'away')]) {
      expect(await readFile(join(place, stored))).toEqual(FIRST)
      expect(await namesIn(join(place, '000001'))).not.toContain('binlog.000002')
    }
  })
})

describe('a spool for its readers', () => {
  test('has no end and no identity before its first epoch', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await SpoolFixture.open(folder.path)
    const { spool } = fixture
    expect([spool.end(), spool.identity(), spool.held()]).toEqual([null, null, null])
    expect([spool.gtids(), spool.purgedGtids(), spool.files()]).toEqual(['', '', []])
  })

  test('wakes who waits for more than there is, and only then', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await filled(folder.path)
    const { spool, writer, signal } = fixture
    const end = { ordinal: 1, offset: FIRST.length }
    await spool.waitPast({ ordinal: 1, offset: FIRST.length - 1 }, { signal })
    let woken = false
    const waiting = spool.waitPast(end, { signal }).then(() => {
      woken = true
    })
    writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND.subarray(0, 100))
    expect(woken).toBe(false)
    expect(spool.end()).toEqual(end)
    await fixture.write(100, SECOND.subarray(100))
    await waiting
    expect(spool.end()).toEqual({ ordinal: 2, offset: SECOND.length })
  })

  test('stops waiting when asked to', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await filled(folder.path)
    const stop = new AbortController()
    const end = { ordinal: 1, offset: FIRST.length }
    const waiting = fixture.spool.waitPast(end, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  test('closes a file that retention removes while it is read', async () => {
    await using folder = await temporaryFolder()
    const retention = { ageMsMax: null, bytesMax: 1, hardLimit: true }
    await using fixture = await filled(folder.path, { retention })
    const [file] = fixture.spool.files()
    if (file === undefined) throw new Error('no file')
    const handle = await fixture.spool.open(file)
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND)
    const read = Buffer.alloc(FIRST.length)
    expect(await handle.read(read, 0, read.length, 0)).toMatchObject({ bytesRead: read.length })
    await fixture.store.applyRetention()
    expect(await namesIn(join(folder.path, '000001'))).toEqual([
      'binlog.000002',
      'epoch.json',
      'index',
    ])
    const isRemoved = { code: 'ERR_SPOOL_REMOVED', retryable: true }
    await expect(handle.read(read, 0, read.length, 0)).rejects.toMatchObject(isRemoved)
    await handle.close()
    await expect(fixture.spool.open(file)).rejects.toMatchObject(isRemoved)
    expect(fixture.spool.readableBytes(file)).toBe(0)
  })
})

describe('retention of a spool', () => {
  const tiny = { ageMsMax: null, bytesMax: 1, hardLimit: false }

  test('keeps the newest file that holds something while the next is only begun', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await filled(folder.path, { retention: tiny })
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND.subarray(0, 50))
    await fixture.store.applyRetention()
    expect(fixture.spool.held()).toMatchObject({ file: 'binlog.000001' })
    expect(await namesIn(join(folder.path, '000001'))).toContain('binlog.000001')
  })

  test('keeps what a replica needs, over a restart too, until it lets go', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await filled(folder.path, { retention: tiny })
      fixture.spool.claims.confirm('replica:9', fixture.spool.files()[0] as LogFile)
      fixture.writer.beginFile('binlog.000002', 0)
      await fixture.write(0, SECOND)
      expect(await fixture.store.applyRetention()).toEqual([])
    }
    await using fixture = await SpoolFixture.open(folder.path, { retention: tiny })
    expect(await fixture.store.applyRetention()).toEqual([])
    fixture.spool.claims.letGo('replica:9')
    expect(await fixture.store.applyRetention()).toHaveLength(1)
    expect(fixture.spool.purgedGtids()).toBe(fixture.spool.files()[0]?.gtidsBefore)
    expect(fixture.spool.gtids()).toBe(facts.end)
  })

  test('gives up what a replica needs that was away too long, its own rest left out', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock()
    const options = { retention: { ...tiny, replicaAgeMsMax: 7 * 86_400_000 }, clock }
    const days = async (count: number) => await clock.advance(count * 86_400_000)
    const kept = (spool: Spool) => spool.claims.list().map(({ claim, file }) => `${claim} ${file}`)
    {
      await using fixture = await filled(folder.path, options)
      const first = fixture.spool.files()[0] as LogFile
      fixture.spool.claims.confirm('replica:away', first)
      fixture.spool.claims.confirm('replica:back', first)
      fixture.writer.beginFile('binlog.000002', 0)
      await fixture.write(0, SECOND)
      await days(5)
      fixture.spool.claims.confirm('replica:back', first)
    }
    await days(30)
    await using fixture = await SpoolFixture.open(folder.path, options)
    expect(await fixture.store.applyRetention()).toEqual([])
    await days(3)
    expect(await fixture.store.applyRetention()).toEqual([])
    expect(kept(fixture.spool)).toEqual(['replica:back binlog.000001'])
    expect(await fixture.spool.claims.release('back')).toBe(true)
    expect(JSON.parse(await readFile(join(folder.path, 'replicas.json'), 'utf8'))).toMatchObject({
      claims: {
        'replica:away': { ordinal: null, epoch: 1 },
        'replica:back': { ordinal: null, epoch: 1 },
      },
    })
    expect(await fixture.spool.claims.release('back')).toBe(false)
    expect(await fixture.store.applyRetention()).toHaveLength(1)
  })

  test('keeps what a backup claims, over a restart, until it moves on', async () => {
    await using folder = await temporaryFolder()
    const claims = (spool: Spool) =>
      spool.claims.list().map(({ claim, file, bytes }) => [claim, file, spool.bytes - bytes])
    {
      await using fixture = await filled(folder.path, { retention: tiny })
      fixture.spool.claims.confirm('backup:nightly', fixture.spool.files()[0] as LogFile)
    }
    await using fixture = await SpoolFixture.open(folder.path, { retention: tiny })
    const { spool, store, writer } = fixture
    expect(claims(spool)).toEqual([['backup:nightly', 'binlog.000001', 0]])
    await writer.rewind()
    writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND)
    expect(await store.applyRetention()).toEqual([])
    const [first, second] = spool.files()
    spool.claims.confirm('backup:nightly', second as LogFile)
    expect(claims(spool)).toEqual([['backup:nightly', 'binlog.000002', first?.bytes]])
    expect(await store.applyRetention()).toHaveLength(1)
    expect(claims(spool)).toEqual([['backup:nightly', 'binlog.000002', 0]])
    spool.claims.letGo('backup:nightly')
    expect(claims(spool)).toEqual([])
  })

  test('takes what replicas need from a spool of before claims had an age', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'replicas.json'), '{"format":1,"needed":{"old":1}}\n')
    await using fixture = await filled(folder.path)
    expect(fixture.spool.claims.list()).toMatchObject([
      { claim: 'replica:old', ordinal: 1, file: 'binlog.000001' },
    ])
  })

  test('leaves an epoch that got no byte, and takes its number again', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await filled(folder.path)
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(epochSource('mariadb', 8), 'another server'))
    await fixture.writer.rewind()
    expect(fixture.spool.identity()?.serverId).not.toBe(8)
    await fixture.store.beginEpoch(epochBeginning(epochSource('mariadb', 9), 'a third one'))
    expect(fixture.spool.epoch).toMatchObject({ epoch: 2, source: { serverId: 9 } })
  })

  test('holds nothing of what an epoch stands on that got no byte', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await filled(folder.path)
      const held = fixture.spool.gtids()
      await fixture.writer.rewind()
      await fixture.store.beginEpoch(
        epochBeginning(epochSource('mariadb', 8), 'another server', '9-9-900'),
      )
      expect(fixture.spool.gtids()).toBe(held)
      expect(fixture.spool.catalog().gtidsToStandOn()).toBe(`${held},9-9-900`)
      await fixture.writer.rewind()
      expect(fixture.spool.catalog().gtidsToStandOn()).toBe(held)
    }
    await using fixture = await SpoolFixture.open(folder.path)
    expect(fixture.spool.held()).toMatchObject({ epoch: 1 })
    expect(fixture.spool.gtids()).not.toContain('9-9-900')
  })

  test('does not stumble over the folder of an epoch that a crash left empty', async () => {
    await using folder = await temporaryFolder()
    {
      await using _fixture = await filled(folder.path)
      await mkdir(join(folder.path, '000002', 'index'), { recursive: true })
    }
    await using fixture = await SpoolFixture.open(folder.path)
    expect(fixture.spool.epoch?.epoch).toBe(1)
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(epochSource('mariadb', 8), 'another server'))
    expect(fixture.spool.epoch?.epoch).toBe(2)
  })

  test('numbers files on when a crash left only the newest, without a checkpoint', async () => {
    await using folder = await temporaryFolder()
    const fixture = await filled(folder.path, { retention: tiny })
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND)
    expect(await fixture.store.applyRetention()).toHaveLength(1)
    await fixture.crash()
    await using again = await SpoolFixture.open(folder.path)
    expect(again.spool.files()).toMatchObject([{ name: 'binlog.000002', ordinal: 2 }])
  })

  describe.each(['ENOSPC', 'EDQUOT'])('where nothing can be written, by %s', (code) => {
    let isFull = false
    const disk: Disk = {
      ...realDisk,
      open: async (path, flags, mode) => {
        if (isFull && flags === 'w') throw Object.assign(new Error('full'), { code })
        return await realDisk.open(path, flags, mode)
      },
    }
    const index = (path: string) => namesIn(join(path, '000001', 'index'))

    test('removes files before it saves the place of what stays', async () => {
      await using folder = await temporaryFolder()
      const fixture = await filled(folder.path, { retention: tiny, disk })
      fixture.writer.beginFile('binlog.000002', 0)
      await fixture.write(0, SECOND)
      const [, { gtidsBefore } = { gtidsBefore: null }] = fixture.spool.files()
      isFull = true
      expect(await fixture.store.applyRetention()).toHaveLength(1)
      const remaining = { name: 'binlog.000002', ordinal: 2, gtidsBefore }
      expect(fixture.spool.files()).toMatchObject([remaining])
      expect(await index(folder.path)).toEqual(['binlog.000001.json'])
      await fixture.crash()
      {
        // Also a start on the full disk knows the place.
        await using again = await SpoolFixture.open(folder.path, { retention: tiny, disk })
        expect(again.spool.files()).toMatchObject([remaining])
        expect(again.spool.gtids()).toBe(facts.end)
        isFull = false
        await again.store.applyRetention()
        expect(await index(folder.path)).toEqual(['binlog.000002.json'])
      }
      await using last = await SpoolFixture.open(folder.path)
      expect(last.spool.files()).toMatchObject([remaining])
    })

    test('removes nothing of which no record is left, and makes up for it', async () => {
      await using folder = await temporaryFolder()
      {
        await using fixture = await filled(folder.path)
        fixture.writer.beginFile('binlog.000002', 0)
        await fixture.write(0, SECOND)
      }
      for (const name of await index(folder.path)) {
        await rm(join(folder.path, '000001', 'index', name))
      }
      isFull = true
      await using fixture = await SpoolFixture.open(folder.path, { retention: tiny, disk })
      expect(await fixture.store.applyRetention()).toEqual([])
      expect(fixture.spool.files()).toHaveLength(2)
      isFull = false
      expect(await fixture.store.applyRetention()).toHaveLength(1)
      expect(await index(folder.path)).toEqual(['binlog.000002.json'])
    })
  })

  test('saves what replicas need again when the disk was full the first time', async () => {
    await using folder = await temporaryFolder()
    let isFull = true
    const disk: Disk = {
      ...realDisk,
      rename: async (path, newPath) => {
        const isClaims = newPath.endsWith('replicas.json')
        if (isClaims && isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        await realDisk.rename(path, newPath)
      },
    }
    await using fixture = await filled(folder.path, { disk })
    fixture.spool.claims.confirm('replica:replica', { ordinal: 1, epoch: 1 })
    await fixture.store.applyRetention()
    isFull = false
    await fixture.store.applyRetention()
    expect(await readFile(join(folder.path, 'replicas.json'), 'utf8')).toContain(
      '"replica:replica"',
    )
  })

  test('stays in its epoch when its source moves to another version', async () => {
    await using folder = await temporaryFolder()
    const source = { ...epochSource('mariadb'), serverVersion: '11.8.9-MariaDB-log' }
    {
      await using fixture = await filled(folder.path)
      await fixture.store.renewSource(source)
      expect(fixture.spool.held()).toMatchObject({ epoch: 1, source })
    }
    await using again = await SpoolFixture.open(folder.path)
    expect(again.spool.identity()).toEqual(source)
  })

  test('goes on when the folder of an old file was removed by hand', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await filled(folder.path, { retention: tiny })
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(epochSource('mariadb', 8), 'another server'))
    fixture.writer.beginFile('binlog.000001', 0)
    await fixture.write(0, FIRST.subarray(0, 300))
    await rm(join(folder.path, '000001'), { recursive: true })
    await fixture.store.applyRetention()
    expect(fixture.broken).toEqual([])
    expect(fixture.spool.files().map(({ epoch }) => epoch)).toEqual([2])
  })

  test('lets a file go by age', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock(Date.now() + 40 * 86_400_000)
    const retention = { ageMsMax: 86_400_000, bytesMax: null, hardLimit: false }
    await using fixture = await filled(folder.path, { retention, clock })
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, SECOND)
    await fixture.store.applyRetention()
    expect(fixture.spool.files().map(({ name }) => name)).toEqual(['binlog.000002'])
  })
})

test('a replica that is served for the first time is remembered at once', async () => {
  await using folder = await temporaryFolder()
  await using fixture = await SpoolFixture.open(folder.path)
  fixture.spool.claims.confirm('replica:new', { ordinal: 1, epoch: 1 })
  const saved = async () => await readFile(join(folder.path, 'replicas.json'), 'utf8')
  await expect.poll(saved).toContain('"replica:new"')
})
