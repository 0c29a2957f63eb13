import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { isPast, type LogFile, type LogPlace } from '../../../src/binlog/log.ts'
import { StoredSpool } from '../../../src/spool/stored-spool.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import { boundariesOf } from '../../helpers/source/transaction-boundaries.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  type SpoolFixtureOptions,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const FLAVORS = ['mysql', 'mariadb'] as const
type Flavor = (typeof FLAVORS)[number]
const { signal } = new AbortController()
const CHILD = fileURLToPath(new URL('../../helpers/spool/stored-spool-child.ts', import.meta.url))

async function begun(
  path: string,
  flavor: Flavor,
  options: SpoolFixtureOptions = {},
): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open(path, options)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource(flavor), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  return fixture
}

async function seen(directory: string): Promise<StoredSpool> {
  const spool = new StoredSpool({ directory, clock: systemClock, pollMs: 5 })
  await spool.refresh({ signal })
  return spool
}

interface Report {
  readonly end: LogPlace
  readonly names: readonly string[]
  readonly hex: string
  readonly gtids: string
}

describe.each(FLAVORS)('a spool of %s that another process writes', (flavor) => {
  const [first, second] = [recordedFile(flavor, 1), recordedFile(flavor, 2)]

  test('shows closed files whole, and the open one up to its last record', async () => {
    await using folder = await temporaryFolder()
    expect((await seen(folder.path)).end()).toBeNull()
    {
      await using fixture = await begun(folder.path, flavor)
      await fixture.write(0, first)
      expect((await seen(folder.path)).end()).toBeNull()
      fixture.writer.beginFile('binlog.000002', 0)
      await fixture.write(0, second)
      const reader = await seen(folder.path)
      expect(reader.end()).toEqual({ ordinal: 1, offset: first.length })
      expect(reader.gtids()).toBe(fixture.spool.files()[1]?.gtidsBefore)
      expect(reader.identity()).toEqual(fixture.spool.identity())
      expect(reader.files()).toMatchObject([{ name: 'binlog.000001', complete: true }])
      // The end of the open file is recorded at the latest when its writer stops.
      const waiting = reader.waitPast({ ordinal: 1, offset: first.length }, { signal })
      await fixture.writer.close()
      await waiting
      expect(reader.end()).toEqual({ ordinal: 2, offset: second.length })
      expect([reader.gtids(), reader.bytes]).toEqual([
        recordedFacts(flavor).end,
        first.length + second.length,
      ])
    }
  })

  test('is read by a second process while it is written, never ahead of it', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path, flavor, { checkpointBytes: 1 })
    const child = spawn(process.execPath, [CHILD, folder.path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const reports: Report[] = []
    const ahead: Report[] = []
    createInterface({ input: child.stdout }).on('line', (line) => {
      const report = JSON.parse(line) as Report
      reports.push(report)
      if (isPast(report.end, fixture.spool.end() as LogPlace)) ahead.push(report)
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    const bytes = [first, second]
    for (const [index, content] of bytes.entries()) {
      if (index > 0) fixture.writer.beginFile('binlog.000002', 0)
      for (let at = 0; at < content.length; at += 150) {
        await fixture.write(at, content.subarray(at, at + 150))
        // It must have a chance to see this one.
        if (reports.length === 0) await until(() => reports.length > 0 || at < 600)
      }
    }
    await until(() => reports.at(-1)?.end.offset === second.length)
    child.stdin.end()
    expect(await ended).toBe(0)
    expect(ahead).toEqual([])
    let gtidsBefore = ''
    for (const [index, content] of bytes.entries()) {
      const boundaries = boundariesOf(flavor, content, gtidsBefore)
      for (const { end, hex, gtids } of reports.filter((one) => one.end.ordinal === index + 1)) {
        const boundary = boundaries.find(({ offset }) => offset === end.offset)
        expect(gtids).toBe(boundary?.gtids)
        expect(content.subarray(0, end.offset).equals(Buffer.from(hex, 'hex'))).toBe(true)
      }
      gtidsBefore = boundaries.at(-1)?.gtids ?? ''
    }
    expect(reports.length).toBeGreaterThan(2)
  })

  test('is shown from behind a file whose record is lost', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await begun(folder.path, flavor)
      await fixture.write(0, first)
      fixture.writer.beginFile('binlog.000002', 0)
      await fixture.write(0, second)
    }
    await writeFile(join(folder.path, '000001', 'index', 'binlog.000001.json'), 'x')
    const reader = await seen(folder.path)
    expect(reader.files().map(({ name }) => name)).toEqual(['binlog.000002'])
    expect(reader.purgedGtids()).toBe(reader.files()[0]?.gtidsBefore)
    expect(reader.purgedGtids()).not.toBe('')
  })

  test('ends behind the file before when nothing came of the newest one', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await begun(folder.path, flavor)
      await fixture.write(0, first)
      fixture.writer.beginFile('binlog.000002', 0)
      await fixture.write(0, second)
      await fixture.writer.close()
    }
    const reader = await seen(folder.path)
    const before = reader.files()[1]?.gtidsBefore
    expect(reader.end()).toEqual({ ordinal: 2, offset: second.length })
    await rm(join(folder.path, '000001', 'binlog.000002'))
    for (const again of [reader, reader, await seen(folder.path)]) {
      await again.refresh({ signal })
      expect(again.end()).toEqual({ ordinal: 1, offset: first.length })
      expect(again.gtids()).toBe(before)
    }
  })

  test('loses what retention removes there', async () => {
    await using folder = await temporaryFolder()
    const retention = { ageMsMax: null, bytesMax: 1, hardLimit: false }
    await using fixture = await begun(folder.path, flavor, { retention, checkpointBytes: 1 })
    await fixture.write(0, first)
    const reader = await seen(folder.path)
    await reader.waitPast({ ordinal: 0, offset: 0 }, { signal })
    const oldest = reader.files()[0] as LogFile
    expect(oldest.name).toBe('binlog.000001')
    fixture.writer.beginFile('binlog.000002', 0)
    await fixture.write(0, second)
    await fixture.store.applyRetention()
    await expect(reader.open(oldest)).rejects.toMatchObject({ code: 'ERR_SPOOL_REMOVED' })
    await expect
      .poll(() => reader.refresh({ signal }).then(() => reader.files()))
      .toMatchObject([{ name: 'binlog.000002', bytes: second.length }])
  })
})

test('what a reader waits for may never come: it stops when it is told to', async () => {
  await using folder = await temporaryFolder()
  const reader = await seen(folder.path)
  const stop = new AbortController()
  const waiting = reader.waitPast({ ordinal: 1, offset: 0 }, { signal: stop.signal })
  stop.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  await rm(folder.path, { recursive: true })
  await expect(reader.refresh({ signal })).rejects.toMatchObject({ code: 'ENOENT' })
})
