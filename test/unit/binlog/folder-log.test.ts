import { appendFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { type Disk, realDisk } from '../../../src/base/disk.ts'
import { EventType } from '../../../src/binlog/event-type.ts'
import { FolderLog, type FolderLogOptions } from '../../../src/binlog/folder-log.ts'
import type { LogFile } from '../../../src/binlog/log.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { BinlogBytes } from '../../helpers/source/binlog-bytes.ts'
import { recordedLineage } from '../../helpers/spool/recorded-lineage.ts'
import { epochSource, temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
/** The version says which flavor a file is of. */
const MARIADB = '10.11.19-MariaDB-log'
const { signal } = new AbortController()

let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(() => folder[Symbol.asyncDispose]())

const pathOf = (name: string) => join(folder.path, name)
const put = (name: string, bytes: Buffer) => writeFile(pathOf(name), bytes)

async function look(options: Partial<FolderLogOptions> = {}): Promise<FolderLog> {
  const log = new FolderLog({ directory: folder.path, clock: systemClock, pollMs: 5, ...options })
  await log.refresh({ signal })
  return log
}

/** Transactions `first` to `last` of a MySQL server, in a file that is still open. */
function mysqlFile(first: number, last: number, bytes = 40): BinlogBytes {
  const file = new BinlogBytes().previousGtids(first === 1 ? '' : `${UUID}:1-${first - 1}`)
  for (let number = first; number <= last; number += 1) file.mysqlTransaction(UUID, number, bytes)
  return file
}

/** What `log` has: names, readable bytes, GTIDs before each file. */
function shown(log: FolderLog): [string, number, string][] {
  return log.files().map((file) => [file.name, log.readableBytes(file), file.gtidsBefore])
}

describe.each(['mysql', 'mariadb'] as const)('files of %s', (flavor) => {
  const [first, second] = [recordedFile(flavor, 1), recordedFile(flavor, 2)]

  test('are a log by what they say of themselves', async () => {
    await put('binlog.000001', first)
    await put('binlog.000002', second)
    await put('binlog.index', Buffer.from('./binlog.000001\n./binlog.000002\n'))
    await mkdir(pathOf('index'))
    const log = await look({ serverUuid: UUID })
    const { serverId, end } = recordedFacts(flavor)
    const identity = { flavor, serverId, serverUuid: UUID, gtidDomainId: null }
    expect(log.identity()).toMatchObject(identity)
    expect(log.identity()?.serverVersion).toMatch(flavor === 'mysql' ? /^\d+\.\d+/ : /MariaDB/)
    const [, after] = recordedLineage(flavor).files
    expect(shown(log)).toEqual([
      ['binlog.000001', first.length, ''],
      ['binlog.000002', second.length, after?.gtidsBefore],
    ])
    expect(log.end()).toEqual({ ordinal: 2, offset: second.length })
    expect([log.gtids(), log.purgedGtids(), log.lineage()]).toEqual([end, '', null])
  })

  test('end with the last whole transaction, wherever the newest one breaks off', async () => {
    const [, file] = recordedLineage(flavor).files
    if (file === undefined) throw new TypeError('there is a second file')
    await put('binlog.000001', first)
    for (let bytes = 0; bytes <= second.length; bytes += 7) {
      await put('binlog.000002', second.subarray(0, bytes))
      const log = await look()
      const end = log.end()
      const boundary = file.boundaries.findLast(({ offset }) => offset <= bytes)
      if (end?.ordinal === 1) expect(end.offset).toBe(first.length)
      else expect(end).toEqual({ ordinal: 2, offset: boundary?.offset })
      expect(log.gtids()).toBe(end?.ordinal === 1 ? file.gtidsBefore : boundary?.gtids)
    }
  })

  test('go on behind one that its server never closed, if nothing else is missing', async () => {
    const [open] = recordedLineage(flavor).files
    const boundaries = open?.boundaries.filter(({ offset }) => offset < first.length) ?? []
    const [short, whole] = boundaries.slice(-2).map(({ offset }) => offset)
    await put('binlog.000002', second)
    await put('binlog.000001', first.subarray(0, whole))
    const log = await look()
    expect(log.readableBytes(log.files()[0] as LogFile)).toBe(whole)
    expect(log.gtids()).toBe(recordedFacts(flavor).end)
    await put('binlog.000001', first.subarray(0, short))
    await expect(look()).rejects.toMatchObject({ code: 'ERR_BINLOG_FOLDER', retryable: true })
  })

  test('are followed while they grow', async () => {
    await put('binlog.000001', first.subarray(0, first.length - 5))
    const log = await look()
    const before = log.end()
    if (before === null) throw new TypeError('there is an end')
    let isPast = false
    const waiting = log.waitPast(before, { signal }).then(() => {
      isPast = true
    })
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(isPast).toBe(false)
    await appendFile(pathOf('binlog.000001'), first.subarray(first.length - 5))
    await put('binlog.000002', second)
    await waiting
    await expect
      .poll(() => log.refresh({ signal }).then(() => log.end()))
      .toEqual({
        ordinal: 2,
        offset: second.length,
      })
  })
})

describe('a folder', () => {
  test('that is empty is an empty log, until there is something', async () => {
    const log = await look()
    expect([log.identity(), log.end(), log.files(), log.gtids()]).toEqual([null, null, [], ''])
    const waiting = log.waitPast({ ordinal: 0, offset: 0 }, { signal })
    await put('binlog.000001', mysqlFile(1, 2).take())
    await waiting
    expect(log.gtids()).toBe(`${UUID}:1-2`)
  })

  test('begins anywhere, is in the order of its numbers, and goes past 999999', async () => {
    await put('binlog.1000000', mysqlFile(5, 6).take())
    await put('binlog.999999', mysqlFile(3, 4).rotate('binlog.1000000').take())
    const log = await look()
    expect(log.files().map(({ name, ordinal }) => [name, ordinal])).toEqual([
      ['binlog.999999', 999_999],
      ['binlog.1000000', 1_000_000],
    ])
    expect([log.purgedGtids(), log.gtids()]).toEqual([`${UUID}:1-2`, `${UUID}:1-6`])
  })

  test.each([3_000, 5_000, 50_000])('stands on a MySQL set of %i intervals', async (intervals) => {
    const numbers = Array.from({ length: intervals }, (_, index) => 2 * index + 1)
    const before = `${UUID}:${numbers.join(':')}`
    const file = new BinlogBytes().previousGtids(before).mysqlTransaction(UUID, 1_000_000)
    await put('binlog.000007', file.rotate('binlog.000008').take())
    const after = `${before}:1000000`
    const newest = new BinlogBytes().previousGtids(after).mysqlTransaction(UUID, 1_000_001)
    await put('binlog.000008', newest.take())
    const log = await look()
    expect(log.purgedGtids()).toBe(before)
    expect(log.files()[1]?.gtidsBefore).toBe(after)
    expect(log.gtids()).toBe(`${after}-1000001`)
  })

  test.each([3_000, 5_000, 50_000])('stands on %i domains of MariaDB', async (domains) => {
    const list = Array.from({ length: domains }, (_, domainId) => {
      return { domainId, serverId: 1, sequence: 5n }
    })
    const bytes = new BinlogBytes({ serverVersion: MARIADB }).gtidList(...list)
    bytes.mariadbTransaction({ domainId: 0, serverId: 1, sequence: 6n })
    await put('binlog.000007', bytes.take())
    const log = await look()
    const after = list.slice(1).map(({ domainId }) => `${domainId}-1-5`)
    expect(log.purgedGtids()).toBe(['0-1-5', ...after].join())
    expect(log.gtids()).toBe(['0-1-6', ...after].join())
  })

  test('is about to begin while not all of a long list is there', async () => {
    const numbers = Array.from({ length: 20_000 }, (_, index) => 2 * index + 1)
    const head = new BinlogBytes().previousGtids(`${UUID}:${numbers.join(':')}`).take()
    await put('binlog.000007', head.subarray(0, head.length - 1))
    const log = await look()
    expect(log.end()).toBeNull()
    await put('binlog.000007', head)
    await log.refresh({ signal })
    expect(log.end()?.offset).toBe(head.length)
  })

  test('loses files at its beginning, and reading one of them says so', async () => {
    await put('binlog.000001', mysqlFile(1, 2).rotate('binlog.000002').take())
    await put('binlog.000002', mysqlFile(3, 4).take())
    const log = await look()
    const oldest = log.files()[0] as LogFile
    await rm(pathOf('binlog.000001'))
    await expect(log.open(oldest)).rejects.toMatchObject({ code: 'ERR_SPOOL_REMOVED' })
    await log.refresh({ signal })
    expect(log.files().map(({ name }) => name)).toEqual(['binlog.000002'])
    expect([log.readableBytes(oldest), log.purgedGtids()]).toEqual([0, `${UUID}:1-2`])
  })

  test('leaves out the torn end of a file that its server never closed', async () => {
    const whole = mysqlFile(1, 2).take()
    const torn = mysqlFile(1, 3).take()
    await put('binlog.000001', torn.subarray(0, torn.length - 30))
    await put('binlog.000002', mysqlFile(3, 3).take())
    const log = await look()
    expect(log.readableBytes(log.files()[0] as LogFile)).toBe(whole.length)
    expect(log.gtids()).toBe(`${UUID}:1-3`)
  })

  test('waits for the rest of a file that is being copied when the next one is there', async () => {
    const short = mysqlFile(1, 1).take()
    const whole = mysqlFile(1, 3).take()
    await put('binlog.000001', short)
    const log = await look()
    await put('binlog.000002', mysqlFile(4, 4).take())
    const wanted = {
      code: 'ERR_BINLOG_FOLDER',
      retryable: true,
      message: expect.stringContaining(
        `binlog.000002 stands on what binlog.000001 and those before it lack: ${UUID}:2-3`,
      ),
    }
    await expect(log.refresh({ signal })).rejects.toMatchObject(wanted)
    await expect(look()).rejects.toMatchObject(wanted)
    expect([log.end(), log.gtids()]).toEqual([{ ordinal: 1, offset: short.length }, `${UUID}:1`])
    await put('binlog.000001', whole)
    await log.refresh({ signal })
    for (const seen of [log, await look()]) {
      expect(seen.readableBytes(seen.files()[0] as LogFile)).toBe(whole.length)
      expect(seen.gtids()).toBe(`${UUID}:1-4`)
    }
  })

  test('reads a file of before only where that does not say that it is closed', async () => {
    const scanned: string[] = []
    const disk: Disk = {
      ...realDisk,
      open: async (path, flags) => {
        const file = await realDisk.open(path, flags)
        const read = file.read.bind(file)
        file.read = (buffer, offset, length, position) => {
          // More than a head.
          if (length > 200_000) scanned.push(path.slice(-1))
          return read(buffer, offset, length, position)
        }
        return file
      },
    }
    await put('binlog.000001', mysqlFile(1, 5, 50_000).rotate('binlog.000002').take())
    await put('binlog.000002', mysqlFile(6, 10, 50_000).take())
    await put('binlog.000003', mysqlFile(11, 15, 50_000).rotate('binlog.000004').take())
    await put('binlog.000004', mysqlFile(16, 20, 50_000).take())
    const log = await look({ disk })
    await log.refresh({ signal })
    expect(scanned).toEqual(['2', '4'])
    expect(log.gtids()).toBe(`${UUID}:1-20`)
  })

  test('is read a window at a time, however large an event is', async () => {
    let longest = 0
    const disk: Disk = {
      ...realDisk,
      open: async (path, flags) => {
        const file = await realDisk.open(path, flags)
        const read = file.read.bind(file)
        file.read = (buffer, offset, length, position) => {
          longest = Math.max(longest, length)
          return read(buffer, offset, length, position)
        }
        return file
      },
    }
    const gtid = { domainId: 0, serverId: 1, sequence: 7n }
    const bytes = new BinlogBytes({ serverVersion: MARIADB }).gtidList(gtid)
    const content = bytes.mariadbTransaction({ ...gtid, sequence: 8n }, 12 * 1024 * 1024).take()
    await put('binlog.000001', content)
    const log = await look({ disk })
    expect([log.gtids(), log.end()?.offset]).toEqual(['0-1-8', content.length])
    expect(longest).toBe(1024 * 1024)
  })

  test('has files of others beside: which are meant can be said', async () => {
    await put('binlog.000001', mysqlFile(1, 2).take())
    await put('db-relay-bin.000007', mysqlFile(1, 1).take())
    await expect(look()).rejects.toMatchObject({
      code: 'ERR_BINLOG_FOLDER',
      message: expect.stringMatching(/several base names: (binlog|db-relay-bin), /),
      remedy: expect.stringContaining('base name'),
    })
    expect((await look({ baseName: 'binlog' })).gtids()).toBe(`${UUID}:1-2`)
  })

  test('counts nothing before it was synced', async () => {
    let isBroken = true
    const disk: Disk = {
      ...realDisk,
      open: async (path, flags) => {
        const file = await realDisk.open(path, flags)
        file.datasync = async () => {
          if (isBroken) throw Object.assign(new Error('no'), { code: 'EIO' })
        }
        return file
      },
    }
    await put('binlog.000001', mysqlFile(1, 2).take())
    const log = new FolderLog({ directory: folder.path, clock: systemClock, disk })
    const failure = { code: 'ERR_BINLOG_SYNC', message: expect.stringContaining('may be lost') }
    await expect(log.refresh({ signal })).rejects.toMatchObject(failure)
    isBroken = false
    // A later sync says nothing of what the kernel dropped.
    await expect(log.refresh({ signal })).rejects.toMatchObject(failure)
    expect([log.end(), log.gtids()]).toEqual([null, ''])
  })

  test('stops waiting when it is told to', async () => {
    await put('binlog.000001', mysqlFile(1, 2).take())
    const log = await look({ pollMs: 60_000 })
    const stop = new AbortController()
    const waiting = log.waitPast({ ordinal: 9, offset: 0 }, { signal: stop.signal })
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('is refused, with a remedy:', () => {
  async function refusal(code: string, message: RegExp): Promise<void> {
    const remedy = expect.stringMatching(/./)
    const wanted = { code, message: expect.stringMatching(message), remedy }
    await expect(look()).rejects.toMatchObject(wanted)
  }

  test('a gap', async () => {
    await put('binlog.000001', mysqlFile(1, 2).take())
    await put('binlog.000003', mysqlFile(5, 6).take())
    await refusal('ERR_BINLOG_FOLDER', /between binlog\.000001 and binlog\.000003/)
  })

  test('a file that MySQL encrypts', async () => {
    await put(
      'binlog.000001',
      Buffer.concat([Buffer.from('fd62696e', 'hex'), Buffer.alloc(600, 3)]),
    )
    await refusal('ERR_BINLOG_ENCRYPTED', /encrypted/)
  })

  test('a file that MariaDB encrypts', async () => {
    const head = recordedFile('mariadb', 1)
    const [description] = [head.subarray(0, 4 + head.readUInt32LE(4 + 9))]
    const start = new BinlogBytes().event(164, Buffer.alloc(17, 1)).take().subarray(-40)
    await put('binlog.000001', Buffer.concat([description, start, Buffer.alloc(500, 0x5a)]))
    await refusal('ERR_BINLOG_ENCRYPTED', /encrypted/)
  })

  test('a list of GTIDs that is too long to be read', async () => {
    const list = Buffer.alloc(16 * 1024 * 1024)
    await put('binlog.000001', new BinlogBytes().event(EventType.MysqlPreviousGtids, list).take())
    await refusal('ERR_BINLOG_GTIDS', /binlog\.000001 begins with a list of GTIDs of 167\d+ bytes/)
  })

  test('a long list of GTIDs that is damaged', async () => {
    const numbers = Array.from({ length: 20_000 }, (_, index) => 2 * index + 1)
    const bytes = new BinlogBytes().previousGtids(`${UUID}:${numbers.join(':')}`).take()
    bytes.writeUInt8(bytes.readUInt8(200_000) ^ 1, 200_000)
    await put('binlog.000001', bytes)
    await expect(look()).rejects.toMatchObject({ code: 'ERR_EVENT_CHECKSUM' })
  })

  test('another kind of file', async () => {
    await put('dump.000001', Buffer.from('-- MySQL dump'))
    await refusal('ERR_NOT_A_BINLOG', /does not begin with fe 62 69 6e/)
  })

  test('files of both flavors', async () => {
    await put('binlog.000001', recordedFile('mysql', 1))
    await put('binlog.000002', recordedFile('mariadb', 2))
    await refusal('ERR_BINLOG_FOLDER', /is of mariadb, those before it of mysql/)
  })

  test('a file that is damaged in its middle, and not the newest', async () => {
    const bytes = mysqlFile(1, 5).take()
    bytes.writeUInt8(bytes.readUInt8(300) ^ 1, 300)
    await put('binlog.000001', bytes)
    expect((await look()).end()?.offset).toBeLessThan(300)
    await put('binlog.000002', mysqlFile(6, 6).take())
    await refusal('ERR_BINLOG_FOLDER', /damaged at \d+: ERR_EVENT_CHECKSUM/)
  })

  test('files that were replaced while they were followed', async () => {
    await put('binlog.000002', mysqlFile(1, 5).take())
    const log = await look()
    await truncate(pathOf('binlog.000002'), 200)
    const wanted = { code: 'ERR_BINLOG_FOLDER' }
    await expect(log.refresh({ signal })).rejects.toMatchObject(wanted)
    await rm(pathOf('binlog.000002'))
    await put('binlog.000001', mysqlFile(1, 1).take())
    await expect(log.refresh({ signal })).rejects.toMatchObject(wanted)
    expect(log.gtids()).toBe(`${UUID}:1-5`)
  })
})

test('an epoch of a spool is a log as well', async () => {
  const { files } = recordedLineage('mysql')
  for (const { epoch, name, bytes } of files) if (epoch === 2) await put(name, bytes)
  await put('epoch.json', Buffer.from('{}'))
  const log = await look()
  expect(log.identity()?.serverId).toBe(epochSource('mysql', 8).serverId)
  expect(log.gtids()).toBe(files.at(-1)?.boundaries.at(-1)?.gtids)
  expect(await readFile(pathOf('epoch.json'), 'utf8')).toBe('{}')
})
