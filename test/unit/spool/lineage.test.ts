import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import type { LogFile } from '../../../src/binlog/log.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { CopyHalfFixture } from '../../helpers/spool/copy-half-fixture.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  type SpoolFixtureOptions,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const DAY_MS = 86_400_000
const FLAVORS = ['mysql', 'mariadb'] as const

async function receive(
  fixture: SpoolFixture,
  flavor: Flavor,
  ...numbers: (1 | 2)[]
): Promise<void> {
  for (const n of numbers) {
    fixture.writer.beginFile(`binlog.00000${n}`, 0)
    await fixture.write(0, recordedFile(flavor, n))
  }
}

async function reset(fixture: SpoolFixture, flavor: Flavor): Promise<void> {
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'was reset', '', true))
}

/** Two files of a source, which then is reset and has written the first one anew. */
async function resetSpool(
  path: string,
  flavor: Flavor,
  options: SpoolFixtureOptions = {},
): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open(path, options)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
  await receive(fixture, flavor, 1)
  await receive(fixture, flavor, 2)
  expect(fixture.spool.gtids()).toBe(recordedFacts(flavor).end)
  fixture.spool.claims.confirm('replica:old', fixture.spool.files()[1] as LogFile)
  await reset(fixture, flavor)
  return fixture
}

/** What only the first file leaves behind. */
async function gtidsOfFirst(flavor: Flavor): Promise<string> {
  await using folder = await temporaryFolder()
  await using fixture = await SpoolFixture.open(folder.path)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
  await receive(fixture, flavor, 1)
  return fixture.spool.gtids()
}

describe.each(FLAVORS)('an epoch of %s that breaks the lineage', (flavor) => {
  test('holds its own GTIDs only, from its first boundary on, over restarts too', async () => {
    await using folder = await temporaryFolder()
    const wanted = await gtidsOfFirst(flavor)
    const old = recordedFacts(flavor).end
    {
      await using fixture = await resetSpool(folder.path, flavor)
      expect(fixture.spool.gtids()).toBe(old)
      expect(fixture.spool.files()).toHaveLength(2)
      expect(fixture.spool.lineage()).toBeNull()
      await receive(fixture, flavor, 1)
      const { spool } = fixture
      expect([spool.gtids(), spool.purgedGtids(), spool.files().length]).toEqual([wanted, '', 1])
      expect(spool.held()).toMatchObject({ epoch: 2, gtids: wanted, file: 'binlog.000001' })
      expect(spool.storedFiles().map(({ epoch }) => epoch)).toEqual([1, 1, 2])
      expect(spool.lineage()).toMatchObject({ epoch: 2, reason: 'was reset' })
      expect(spool.claims.outdatedReplicas()).toEqual(['old'])
    }
    const record = await readFile(join(folder.path, '000001/index/binlog.000002.json'), 'utf8')
    expect(JSON.parse(record)).toMatchObject({ closed: true, gtidsAfter: old })
    await using fixture = await SpoolFixture.open(folder.path)
    const { spool } = fixture
    expect([spool.gtids(), spool.purgedGtids(), spool.files().length]).toEqual([wanted, '', 1])
    expect(spool.lineage()).toMatchObject({ epoch: 2 })
    expect(spool.claims.outdatedReplicas()).toEqual(['old'])
    spool.claims.confirm('replica:new', spool.files()[0] as LogFile)
    expect(spool.claims.outdatedReplicas()).toEqual(['old'])
    expect(await spool.claims.release('old')).toBe(true)
    expect(spool.claims.outdatedReplicas()).toEqual([])
  })

  test('holds its own GTIDs only, when its files are scanned for want of an index', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await resetSpool(folder.path, flavor)
      await receive(fixture, flavor, 1)
    }
    for (const epoch of ['000001', '000002']) {
      await rm(join(folder.path, epoch, 'index'), { recursive: true })
    }
    await using fixture = await SpoolFixture.open(folder.path)
    expect(fixture.spool.held()).toMatchObject({ epoch: 2, gtids: await gtidsOfFirst(flavor) })
    expect(fixture.spool.files()).toMatchObject([{ epoch: 2, gtidsBefore: '' }])
  })

  test.each(['rewind', 'restart'])(
    'that got no byte counts for nothing after a %s',
    async (how) => {
      await using folder = await temporaryFolder()
      const old = recordedFacts(flavor).end
      let fixture = await resetSpool(folder.path, flavor)
      if (how === 'restart') {
        await fixture[Symbol.asyncDispose]()
        fixture = await SpoolFixture.open(folder.path)
      } else {
        fixture.writer.beginFile('binlog.000001', 0)
        await fixture.write(0, recordedFile(flavor, 1).subarray(0, 40))
      }
      await using left = fixture
      const held = await left.writer.rewind()
      expect(held).toMatchObject({ epoch: 1, file: 'binlog.000002', gtids: old })
      expect([left.spool.lineage(), left.spool.claims.outdatedReplicas()]).toEqual([null, []])
      expect(left.spool.catalog().gtidsToStandOn()).toBe(old)
      await reset(left, flavor)
      await receive(left, flavor, 1)
      expect(left.spool.held()).toMatchObject({ epoch: 2, gtids: await gtidsOfFirst(flavor) })
    },
  )

  test('is the one that a later epoch of another server goes on with', async () => {
    await using folder = await temporaryFolder()
    const wanted = await gtidsOfFirst(flavor)
    {
      await using fixture = await resetSpool(folder.path, flavor)
      await receive(fixture, flavor, 1)
      await fixture.writer.rewind()
      await fixture.store.beginEpoch(epochBeginning(epochSource(flavor, 8), 'failover', wanted))
      await receive(fixture, flavor, 2)
      expect(fixture.spool.files().map(({ epoch }) => epoch)).toEqual([2, 3])
      expect(fixture.spool.gtids()).toBe(recordedFacts(flavor).end)
    }
    await using fixture = await SpoolFixture.open(folder.path)
    expect(fixture.spool.lineage()).toMatchObject({ epoch: 2 })
    expect(fixture.spool.files().map(({ epoch }) => epoch)).toEqual([2, 3])
  })

  test('lets retention take the files of before, though replicas of before need them', async () => {
    await using folder = await temporaryFolder()
    const retention = { ageMsMax: null, bytesMax: 1, hardLimit: false, replicaAgeMsMax: 1000 }
    await using fixture = await resetSpool(folder.path, flavor, { retention })
    const removed = await fixture.store.applyRetention()
    expect(removed.map(({ name }) => name)).toEqual(['binlog.000001'])
    await receive(fixture, flavor, 1)
    await fixture.clock.advance(5_000)
    await fixture.store.applyRetention()
    expect(fixture.spool.storedFiles().map(({ epoch }) => epoch)).toEqual([2])
    // Forgotten, it would be taken for a new replica and served.
    expect(fixture.spool.claims.outdatedReplicas()).toEqual(['old'])
  })
})

describe.each(FLAVORS)('a spool of %s whose source is reset by an intruder', (flavor) => {
  const tiny = { ageMsMax: 1, bytesMax: 1, hardLimit: true }

  test('keeps what it held before for some time, whatever comes, over restarts too', async () => {
    await using folder = await temporaryFolder()
    const clock = new FakeClock()
    const retention = { ...tiny, minimumHoldMs: 7 * DAY_MS }
    {
      await using fixture = await resetSpool(folder.path, flavor, { clock })
      await receive(fixture, flavor, 1)
      await clock.advance(DAY_MS)
      await reset(fixture, flavor)
      await receive(fixture, flavor, 1, 2)
      // A claim of before a reset keeps nothing: it is the hold that does.
      expect(await fixture.spool.claims.release('old')).toBe(true)
    }
    await using fixture = await SpoolFixture.open(folder.path, { retention, clock })
    const { spool, store } = fixture
    expect(await store.applyRetention()).toEqual([])
    expect(store.heldBack()).toMatchObject({ files: 4, untilMs: clock.wallMs() + 7 * DAY_MS })
    // A lineage is held from the reset that ended it.
    await clock.advance(6 * DAY_MS)
    expect(await store.applyRetention()).toHaveLength(2)
    await clock.advance(DAY_MS - 1)
    expect(await store.applyRetention()).toEqual([])
    expect(spool.storedFiles().map(({ epoch }) => epoch)).toEqual([2, 3, 3])
    await clock.advance(1)
    expect(await store.applyRetention()).toHaveLength(2)
    expect(store.heldBack()).toBeNull()
  })

  test('says so as long as the limits are exceeded', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await resetSpool(folder.path, flavor)
      await receive(fixture, flavor, 1)
    }
    await using fixture = new CopyHalfFixture(folder.path, { sizeBytes: 1 })
    const isHeld = () => fixture.stream.problems().find(({ code }) => code === 'ERR_SPOOL_HELD')
    await until(() => isHeld() !== undefined)
    expect(isHeld()).toMatchObject({
      severity: 'warning',
      where: 'spool:main',
      message: expect.stringContaining('2 files'),
      remedy: expect.stringContaining('minimumHold'),
    })
    await until(() => {
      void fixture.clock.advance(DAY_MS)
      return fixture.stream.spool.spool.storedFiles().length === 1
    })
    expect(isHeld()).toBeUndefined()
  })
})

test('a spool and claims of before there were lineages are of one lineage', async () => {
  await using folder = await temporaryFolder()
  await (await resetSpool(folder.path, 'mysql'))[Symbol.asyncDispose]()
  const record = { format: 2, savedAtMs: 5, needed: { old: { ordinal: 1, atMs: 5 } } }
  await writeFile(join(folder.path, 'replicas.json'), JSON.stringify(record))
  for (const epoch of ['000001', '000002']) {
    const path = join(folder.path, epoch, 'epoch.json')
    const { breaksLineage, ...before } = JSON.parse(await readFile(path, 'utf8'))
    expect(breaksLineage).toBe(epoch === '000002')
    await writeFile(path, JSON.stringify(before))
  }
  await using fixture = await SpoolFixture.open(folder.path)
  expect(fixture.spool.gtids()).toBe(recordedFacts('mysql').end)
  expect([fixture.spool.lineage(), fixture.spool.claims.outdatedReplicas()]).toEqual([null, []])
  await reset(fixture, 'mysql')
  await receive(fixture, 'mysql', 1)
  expect(fixture.spool.claims.outdatedReplicas()).toEqual(['old'])
})
