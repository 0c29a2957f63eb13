import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import { encodeJson, FrameType } from '../../../src/link/frame.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { HandmadePeer } from '../../helpers/link/handmade-peer.ts'
import { MemoryLink } from '../../helpers/link/memory-link.ts'
import { socketPair } from '../../helpers/link/socket-pair.ts'
import { RecordedSource } from '../../helpers/source/recorded-source.ts'
import { CopyHalfFixture } from '../../helpers/spool/copy-half-fixture.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const PAIRS = [
  ['mysql', 'mariadb'],
  ['mariadb', 'mysql'],
] as const

/** A spool with the first recorded file of `flavor`, and half a transaction behind it. */
async function storeFirst(path: string, flavor: Flavor): Promise<void> {
  await using fixture = await SpoolFixture.open(path)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  await fixture.write(0, recordedFile(flavor, 1).subarray(0, -40))
}

/** Every file below `folder` with what is in it. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const read = async (path: string) => [path, await readFile(path, 'hex')] as const
  return Object.fromEntries(
    await Promise.all(files.map(({ parentPath, name }) => read(join(parentPath, name)))),
  )
}

/** What nobody else would leave: epoch 2 of a spool is epoch 1 of one of the other flavor. */
async function mixedSpool(path: string, flavor: Flavor, other: Flavor): Promise<void> {
  await storeFirst(path, flavor)
  await using elsewhere = await temporaryFolder()
  await storeFirst(elsewhere.path, other)
  await cp(join(elsewhere.path, '000001'), join(path, '000002'), { recursive: true })
  const record = join(path, '000002', 'epoch.json')
  await writeFile(
    record,
    JSON.stringify({ ...JSON.parse(await readFile(record, 'utf8')), epoch: 2 }),
  )
}

const REFUSAL = {
  code: 'ERR_SPOOL_FLAVOR',
  retryable: false,
  remedy: expect.stringMatching(/a new `spool.directory`.*Nothing was changed or removed/),
}

describe.each(PAIRS)('a spool of %s', (flavor, other) => {
  test.each([
    ['a new epoch', epochBeginning(epochSource(other, 8), 'another server')],
    ['an epoch that forgets all before', epochBeginning(epochSource(other), 'reset', '', true)],
    ['the epoch going on', null],
  ])(`refuses a source of ${other}: %s`, async (_what, beginning) => {
    await using folder = await temporaryFolder()
    await storeFirst(folder.path, flavor)
    await using fixture = await SpoolFixture.open(folder.path)
    const { spool, writer, signal } = fixture
    await writer.rewind()
    const before = await contentOf(folder.path)
    const begun =
      beginning === null
        ? writer.renewSource(epochSource(other))
        : writer.beginEpoch(beginning, { signal })
    await expect(begun).rejects.toMatchObject({
      ...REFUSAL,
      message: `${folder.path} holds a ${flavor} stream, the source is ${other}`,
    })
    expect(writer.trouble?.error).toMatchObject(REFUSAL)
    expect(await contentOf(folder.path)).toEqual(before)
    expect(spool.held()).toMatchObject({ epoch: 1, source: { flavor } })
    // The right source again: nothing is blocked any more.
    await writer.renewSource(epochSource(flavor))
    expect(writer.trouble).toBeNull()
  })

  test('that never got a byte takes a source of either flavor', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await SpoolFixture.open(folder.path)
      await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
    }
    {
      await using fixture = await SpoolFixture.open(folder.path)
      await fixture.writer.rewind()
      await fixture.store.beginEpoch(epochBeginning(epochSource(other), 'first start'))
      fixture.writer.beginFile('binlog.000001', 0)
      await fixture.write(0, recordedFile(other, 1))
    }
    await using fixture = await SpoolFixture.open(folder.path)
    expect(fixture.spool.held()).toMatchObject({ epoch: 1, source: { flavor: other } })
    expect(fixture.spool.gtids()).not.toBe(recordedFacts(flavor).end)
  })

  test('ends the session of a peer that opens it for the other one', async () => {
    await using folder = await temporaryFolder()
    await storeFirst(folder.path, flavor)
    await using fixture = await SpoolFixture.open(folder.path)
    const link = new MemoryLink({ source: new RecordedSource('mysql', () => 0), spool: fixture })
    const newEpoch = { reason: 'another server', gtidsBefore: recordedFacts(other).end }
    for (const opened of [newEpoch, null]) {
      const { left, right } = socketPair()
      const { over } = link.receive(right)
      const peer = new HandmadePeer(left, 'ec2')
      await until(() => peer.hasHeard(FrameType.Resume))
      const source = epochSource(other, 8)
      peer.say(encodeJson(FrameType.Open, 0, { source, newEpoch: opened }))
      expect(await over).toBe('ERR_SPOOL_FLAVOR')
    }
    expect(fixture.writer.trouble?.error).toMatchObject(REFUSAL)
    expect(fixture.spool.held()).toMatchObject({ epoch: 1, source: { flavor } })
  })

  test(`is not opened with an epoch of ${other} in it, and left as it is`, async () => {
    await using folder = await temporaryFolder()
    await mixedSpool(folder.path, flavor, other)
    const before = await contentOf(folder.path)
    await expect(SpoolFixture.open(folder.path)).rejects.toMatchObject({
      ...REFUSAL,
      message: expect.stringContaining(`000001 of ${flavor}; 000002 of ${other}`),
    })
    expect(await contentOf(folder.path)).toEqual(before)
  })

  test(`with an epoch of ${other} in it blocks its stream until that is gone`, async () => {
    await using folder = await temporaryFolder()
    await mixedSpool(folder.path, flavor, other)
    await using fixture = new CopyHalfFixture(folder.path)
    const { stream, clock, told } = fixture
    await until(() => stream.problems()[0]?.code === 'ERR_SPOOL_FLAVOR')
    expect(stream.problems()).toMatchObject([
      { severity: 'blocked', where: 'spool:main', remedy: REFUSAL.remedy },
    ])
    expect(stream.status().spool?.files).toBe(0)
    for (let looks = 0; looks < 3; looks += 1) {
      await until(() => clock.sleeping > 0)
      await clock.advance(60_000)
    }
    expect(told).toEqual([{ code: 'ERR_SPOOL_FLAVOR', remedy: REFUSAL.remedy }])
    await rename(join(folder.path, '000002'), join(folder.path, 'aside'))
    await until(() => {
      void clock.advance(60_000)
      return stream.problems().length === 0
    })
    expect(stream.status()).toMatchObject({ flavor, spool: { files: 1 } })
  })
})
