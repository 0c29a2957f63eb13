import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  begunSpool,
  diskError,
  FailingDisk,
  holdNextSync,
  stored,
  storedBytes,
} from '../../helpers/disk/failing-disk.ts'
import { recordedFile } from '../../helpers/fixtures.ts'
import {
  epochBeginning,
  epochSource,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const FIRST = recordedFile('mysql', 1)
const SECOND = recordedFile('mysql', 2)
const STOP_EVENT_BYTES = 23

describe('the spool writer, while it syncs', () => {
  test('writes on while a sync runs, and publishes only what that one covers', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const first = holdNextSync(disk)
    fixture.append(0, FIRST.subarray(0, 334))
    await first.isHeld
    fixture.append(334, FIRST.subarray(334, 559))
    fixture.append(559, FIRST.subarray(559))
    await until(() => disk.calls.filter((call) => call === 'writev').length > 1)
    expect(disk.calls.filter((call) => call === 'datasync')).toHaveLength(1)
    expect(fixture.syncedBytes).toBe(0)
    expect(fixture.spool.end()).toBeNull()
    const ends: number[] = []
    disk.before = (call) => {
      if (call === 'datasync') ends.push(fixture.spool.end()?.offset ?? 0)
      return undefined
    }
    first.goOn()
    await until(() => fixture.syncedBytes === FIRST.length)
    expect(ends).toEqual([334])
    expect((await stored(folder.path)).equals(FIRST)).toBe(true)
  })

  test.each(['and more waits', 'and the next file waits'])(
    'trusts nothing that was written while a sync failed, %s',
    async (waits) => {
      await using folder = await temporaryFolder()
      const disk = new FailingDisk()
      await using fixture = await begunSpool(folder.path, disk)
      await fixture.write(0, FIRST.subarray(0, 334))
      const first = holdNextSync(disk, 'EIO')
      fixture.append(334, FIRST.subarray(334, 559))
      await first.isHeld
      fixture.append(559, FIRST.subarray(559))
      await until(() => storedBytes(folder.path) === FIRST.length)
      if (waits === 'and the next file waits') fixture.writer.beginFile('binlog.000002', 0)
      const syncs = disk.calls.filter((call) => call === 'datasync').length
      first.goOn()
      await until(() => fixture.broken.length === 1)
      expect(fixture.broken[0]?.code).toBe('ERR_SPOOL_SYNC')
      // Another sync would succeed, although the system may have dropped what the first one had.
      expect(await fixture.writer.rewind()).toMatchObject({ offset: 334 })
      expect(disk.calls.filter((call) => call === 'datasync')).toHaveLength(syncs)
      expect((await stored(folder.path)).length).toBe(334)
    },
  )

  test('cuts back only when the sync that runs is over, and tells of its failure', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    await fixture.write(0, FIRST.subarray(0, 334))
    const first = holdNextSync(disk, 'EIO')
    fixture.append(334, FIRST.subarray(334))
    await first.isHeld
    let isCut = false
    const rewound = fixture.writer.rewind().then((held) => {
      isCut = true
      return held
    })
    // More disk calls than a cut would take.
    for (let looks = 0; looks < 30; looks += 1) {
      expect((await stored(folder.path)).length).toBe(FIRST.length)
    }
    expect(isCut).toBe(false)
    first.goOn()
    expect(await rewound).toMatchObject({ offset: 334 })
    expect(fixture.writer.trouble?.error.code).toBe('ERR_SPOOL_SYNC')
    expect((await stored(folder.path)).length).toBe(334)
  })

  test('begins the next file only when the last sync of the older one is over', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const first = holdNextSync(disk)
    fixture.append(0, FIRST.subarray(0, 559))
    await first.isHeld
    fixture.append(559, FIRST.subarray(559))
    fixture.writer.beginFile('binlog.000002', 0)
    fixture.append(0, SECOND)
    await until(() => storedBytes(folder.path) === FIRST.length)
    expect(existsSync(join(folder.path, '000001', 'binlog.000002'))).toBe(false)
    first.goOn()
    await until(() => fixture.syncedBytes === FIRST.length + SECOND.length)
    expect(fixture.spool.files().map(({ bytes }) => bytes)).toEqual([FIRST.length, SECOND.length])
    expect((await stored(folder.path, 'binlog.000002')).equals(SECOND)).toBe(true)
  })

  test('keeps the alarm of a disk that fails its syncs until one succeeds', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const { writer } = fixture
    holdNextSync(disk, 'EIO').goOn()
    fixture.append(0, FIRST)
    await until(() => fixture.broken.length === 1)
    const alarm = writer.trouble
    expect(alarm?.error.code).toBe('ERR_SPOOL_SYNC')
    const again = async (code?: string) => {
      await writer.rewind()
      await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'once more'))
      writer.beginFile('binlog.000001', 0)
      const held = holdNextSync(disk, code)
      fixture.append(0, FIRST)
      await held.isHeld
      // Written, and so well: that says nothing of the sync.
      expect(writer.trouble).toBe(alarm)
      held.goOn()
    }
    await again('EIO')
    await until(() => fixture.broken.length === 2)
    expect(writer.trouble).toBe(alarm)
    await again()
    await until(() => fixture.syncedBytes === FIRST.length)
    expect(writer.trouble).toBeNull()
  })

  test('does not take a sync for the end of an alarm that came while it ran', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const held = holdNextSync(disk)
    fixture.append(0, FIRST.subarray(0, 334))
    await held.isHeld
    disk.before = (call) => {
      if (call === 'writev') throw diskError('ENOSPC')
      return undefined
    }
    fixture.append(334, FIRST.subarray(334))
    await until(() => fixture.clock.sleeping === 1)
    held.goOn()
    await until(() => fixture.syncedBytes === 334)
    expect(fixture.writer.trouble?.error.code).toBe('ERR_DISK_FULL')
    disk.before = () => undefined
    await until(() => fixture.clock.sleeping > 0)
    await fixture.clock.advance(1_000)
    await until(() => fixture.syncedBytes === FIRST.length)
    expect(fixture.writer.trouble).toBeNull()
  })

  test('ends a session once when a write fails and the sync beside it as well', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const held = holdNextSync(disk, 'EIO')
    fixture.append(0, FIRST.subarray(0, 334))
    await held.isHeld
    const writes = disk.calls.length
    disk.before = () => {
      throw diskError('EIO')
    }
    fixture.append(334, FIRST.subarray(334))
    await until(() => disk.calls.length > writes)
    held.goOn()
    await until(() => fixture.broken.length > 0)
    await fixture.writer.rewind()
    expect(fixture.broken.map(({ code }) => code)).toEqual(['ERR_SPOOL_WRITE'])
  })

  test('says the time of the newest event that is held, not of one that is under way', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk)
    const held = holdNextSync(disk)
    // Behind the last transaction stands a stop event, some seconds younger.
    const stopAt = SECOND.length - STOP_EVENT_BYTES
    fixture.append(0, SECOND.subarray(0, stopAt))
    await held.isHeld
    const seen: (number | undefined)[] = []
    fixture.onSynced = () => void seen.push(fixture.spool.held()?.lastTimestamp)
    fixture.append(stopAt, SECOND.subarray(stopAt))
    held.goOn()
    await until(() => fixture.syncedBytes === SECOND.length)
    expect(seen).toHaveLength(2)
    expect(seen[0]).toBeLessThan(SECOND.readUInt32LE(stopAt))
    expect(seen[1]).toBe(SECOND.readUInt32LE(stopAt))
  })

  test('makes checkpoints in a file that began while the one before was being stored', async () => {
    await using folder = await temporaryFolder()
    const disk = new FailingDisk()
    await using fixture = await begunSpool(folder.path, disk, { checkpointBytes: 300 })
    const held = holdNextSync(disk)
    fixture.append(0, FIRST)
    await held.isHeld
    fixture.writer.beginFile('binlog.000002', 0)
    held.goOn()
    await fixture.write(0, SECOND)
    const record = join(folder.path, '000001', 'index', 'binlog.000002.json')
    await until(() => existsSync(record))
    expect(JSON.parse(await readFile(record, 'utf8'))).toMatchObject({ closed: false })
  })
})
