import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Disk, realDisk } from '../../../src/base/disk.ts'
import { silentLog } from '../../../src/base/log.ts'
import { SpoolCatalog } from '../../../src/spool/spool-catalog.ts'
import { SpoolClaims } from '../../../src/spool/spool-claims.ts'
import { SpoolFile } from '../../../src/spool/spool-file.ts'
import { SpoolStore } from '../../../src/spool/spool-store.ts'
import { TailWriter } from '../../../src/spool/tail-writer.ts'
import { diskError } from '../../helpers/disk/failing-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFile } from '../../helpers/fixtures.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const FIRST = recordedFile('mysql', 1)
const SECOND = recordedFile('mysql', 2)

type Work = 'beginEpoch' | 'closeFile' | 'rewind' | 'sync'

/** What refuses for want of room at this moment. */
const full = new Set<Work>()

function refuse(work: Work): void {
  if (!full.has(work)) return
  throw diskError('ENOSPC')
}

class FullStore extends SpoolStore {
  override async closeNewest(): Promise<void> {
    refuse('closeFile')
    await super.closeNewest()
  }

  /** The last thing that a rewind does. */
  override leaveUnusedEpoch(): void {
    refuse('rewind')
    super.leaveUnusedEpoch()
  }
}

const disk: Disk = {
  ...realDisk,
  async mkdir(path, mode) {
    refuse('beginEpoch')
    await realDisk.mkdir(path, mode)
  },
  async open(path, flags, mode) {
    const file = await realDisk.open(path, flags, mode)
    const datasync = file.datasync.bind(file)
    return Object.assign(file, {
      async datasync() {
        refuse('sync')
        await datasync()
      },
    })
  },
}

async function opened(path: string): Promise<SpoolFixture> {
  full.clear()
  const fixture = await SpoolFixture.open(path, {
    createStore: (options) => new FullStore(options),
    disk,
  })
  await fixture.writer.rewind()
  return fixture
}

async function begun(path: string): Promise<SpoolFixture> {
  const fixture = await opened(path)
  const { signal } = fixture
  await fixture.writer.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'), { signal })
  fixture.writer.beginFile('binlog.000001', 0)
  return fixture
}

const problemOf = ({ writer }: SpoolFixture): string | undefined => writer.trouble?.error.code

describe('a disk without room', () => {
  test('holds a new epoch back, says so, and lets it begin when there is room', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await opened(folder.path)
    const { writer, clock, signal } = fixture
    full.add('beginEpoch')
    const beginning = writer.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'), {
      signal,
    })
    await until(() => clock.sleeping > 0)
    expect(problemOf(fixture)).toBe('ERR_DISK_FULL')
    full.clear()
    await clock.advance(1_000)
    await beginning
    expect(problemOf(fixture)).toBeUndefined()
    fixture.writer.beginFile('binlog.000001', 0)
    await fixture.write(0, FIRST)
  })

  test('holds a new epoch back no longer than its session lasts', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await opened(folder.path)
    full.add('beginEpoch')
    const session = new AbortController()
    const options = { signal: session.signal }
    const beginning = fixture.writer.beginEpoch(
      epochBeginning(epochSource('mysql'), 'first start'),
      options,
    )
    await until(() => fixture.clock.sleeping > 0)
    session.abort()
    await expect(beginning).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('holds the change to the next file back, with nothing lost', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path)
    await fixture.write(0, FIRST)
    full.add('closeFile')
    fixture.writer.beginFile('binlog.000002', 0)
    fixture.append(0, SECOND)
    await until(() => problemOf(fixture) === 'ERR_DISK_FULL')
    expect(fixture.syncedBytes).toBe(FIRST.length)
    full.clear()
    await until(() => fixture.clock.sleeping > 0)
    await fixture.clock.advance(1_000)
    await until(() => fixture.syncedBytes === FIRST.length + SECOND.length)
    expect(problemOf(fixture)).toBeUndefined()
    expect(fixture.broken).toEqual([])
    const stored = await readFile(join(folder.path, '000001', 'binlog.000002'))
    expect(stored.equals(SECOND)).toBe(true)
  })

  test('makes a rewind wait, not fail', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path)
    await fixture.write(0, FIRST.subarray(0, 700))
    full.add('rewind')
    const rewinding = fixture.writer.rewind()
    await until(() => problemOf(fixture) === 'ERR_DISK_FULL')
    full.clear()
    await until(() => fixture.clock.sleeping > 0)
    await fixture.clock.advance(1_000)
    expect(await rewinding).toMatchObject({ file: 'binlog.000001', offset: 559 })
  })

  test('that says so only at a sync ends the session, a second later', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path)
    full.add('sync')
    fixture.append(0, FIRST)
    await until(() => fixture.clock.sleeping > 0)
    expect(problemOf(fixture)).toBe('ERR_DISK_FULL')
    expect(fixture.broken).toEqual([])
    await fixture.clock.advance(1_000)
    await until(() => fixture.broken.length === 1)
    expect(fixture.broken[0]?.code).toBe('ERR_DISK_FULL')
    full.clear()
    expect(await fixture.writer.rewind()).toBeNull()
    const { signal } = fixture
    await fixture.writer.beginEpoch(epochBeginning(epochSource('mysql'), 'again'), { signal })
    fixture.writer.beginFile('binlog.000001', 0)
    await fixture.write(0, FIRST)
    expect(problemOf(fixture)).toBeUndefined()
  })

  test('is an alarm that ends when there is room, also if nothing more comes', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path)
    await fixture.write(0, FIRST)
    full.add('closeFile')
    fixture.writer.beginFile('binlog.000002', 0)
    await until(() => problemOf(fixture) === 'ERR_DISK_FULL')
    await until(() => fixture.clock.sleeping > 0)
    const rewinding = fixture.writer.rewind()
    await fixture.clock.advance(1_000)
    await rewinding
    // The look at this folder's real disk finds room.
    await until(() => fixture.clock.sleeping > 0)
    await fixture.clock.advance(1_000)
    await until(() => problemOf(fixture) === undefined)
  })
})

describe('what a full disk left behind', () => {
  test('an epoch folder without a record is no reason to refuse the spool', async () => {
    await using folder = await temporaryFolder()
    await (await begun(folder.path))[Symbol.asyncDispose]()
    await mkdir(join(folder.path, '000002', 'index'), { recursive: true })
    await using fixture = await SpoolFixture.open(folder.path)
    const { spool, writer, signal } = fixture
    expect(spool.epoch?.epoch).toBe(1)
    await writer.beginEpoch(epochBeginning(epochSource('mysql', 8), 'another server'), { signal })
    writer.beginFile('binlog.000001', 0)
    await fixture.write(0, FIRST)
  })

  test('an epoch folder with bytes and no record still is', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path)
    await fixture.write(0, FIRST)
    await fixture.crash()
    const record = join(folder.path, '000001', 'epoch.json')
    await rename(record, `${record}.away`)
    await expect(SpoolFixture.open(folder.path)).rejects.toMatchObject({
      code: 'ERR_SPOOL_FORMAT',
    })
  })

  test('what a replica needs is saved by the next attempt, though nothing changed', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'later', 'replicas.json')
    const clock = new FakeClock()
    const claims = new SpoolClaims({
      catalog: () => SpoolCatalog.empty(),
      path,
      clock,
      disk,
      log: silentLog,
      ageMsMax: Number.POSITIVE_INFINITY,
    })
    claims.confirm('replica:id:2', { ordinal: 7, epoch: 1 })
    await expect(claims.save()).rejects.toMatchObject({ code: 'ENOENT' })
    await mkdir(join(folder.path, 'later'))
    await claims.save()
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      claims: { 'replica:id:2': { ordinal: 7 } },
    })
  })

  test('a file whose name could not be made durable is not taken for open', async () => {
    await using folder = await temporaryFolder()
    let opens = 0
    let closes = 0
    const path = join(folder.path, 'later', 'binlog.000001')
    const file = new SpoolFile({ ...FILE, path }, '')
    await mkdir(join(folder.path, 'later'))
    full.clear()
    const counting: Disk = {
      ...disk,
      async open(name, flags, mode) {
        const opened = await disk.open(name, flags, mode)
        opens += 1
        const close = opened.close.bind(opened)
        return Object.assign(opened, {
          async close() {
            closes += 1
            await close()
          },
        })
      },
      async syncDirectory(name) {
        refuse('sync')
        await realDisk.syncDirectory(name)
      },
    }
    const tail = new TailWriter(file, 0, counting)
    full.add('sync')
    await expect(tail.open()).rejects.toMatchObject({ code: 'ENOSPC' })
    full.clear()
    await tail.open()
    expect([opens, closes]).toEqual([2, 1])
    await tail.close()
  })
})

const FILE = {
  ordinal: 1,
  epoch: 1,
  name: 'binlog.000001',
  gtidsBefore: '',
  bytes: 0,
  complete: false,
  transactions: 0,
  firstTimestamp: 0,
  lastTimestamp: 0,
}
