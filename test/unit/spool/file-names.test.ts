import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Disk, realDisk } from '../../../src/base/disk.ts'
import { isBinlogName } from '../../../src/binlog/binlog-name.ts'
import { listClosedFiles } from '../../../src/spool/closed-files.ts'
import { recordName } from '../../../src/spool/spool-file.ts'
import { systemError } from '../../helpers/disk/memory-disk.ts'
import { recordedFacts, recordedFile } from '../../helpers/fixtures.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  temporaryFolder,
} from '../../helpers/spool/spool-fixture.ts'

const FIRST = recordedFile('mysql', 1)
const SECOND = recordedFile('mysql', 2)
const facts = recordedFacts('mysql')
const BEGINNING = epochBeginning(epochSource('mysql'), 'first start')
const LONG = `${'ж'.repeat(124)}.`

async function begun(path: string, disk: Disk = realDisk): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open(path, { disk })
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(BEGINNING)
  return fixture
}

test.each([
  ['binlog.000001', true],
  ['a-b_c.d.1', true],
  ['-rf +x.000001', true],
  ['.hidden.000001', true],
  ["журнал ü's \\ 100%.000001", true],
  [`${'x'.repeat(248)}.000001`, true],
  [`${LONG}000001`, true],
  ['new\nline.000001', true],
  [`${'x'.repeat(249)}.000001`, false],
  [`ж${LONG}000001`, false],
  ['not \uFFFD UTF-8.000001', false],
  ['nul\0.000001', false],
  ['../binlog.000001', false],
  ['a/binlog.000001', false],
  ['binlog.', false],
  ['epoch.json', false],
  ['binlog.00000000001', false],
  ['binlog.000001\n', false],
])('takes %j for the name of a binlog file: %s', (name, expected) => {
  expect(isBinlogName(name)).toBe(expected)
})

describe('a file of the longest name', () => {
  test('is stored under it, with a record that is found again', async () => {
    await using folder = await temporaryFolder()
    {
      await using fixture = await begun(folder.path)
      fixture.writer.beginFile(`${LONG}000001`, 0)
      await fixture.write(0, FIRST)
      fixture.writer.beginFile(`${LONG}000002`, 0)
      await fixture.write(0, SECOND)
    }
    const names = await readdir(join(folder.path, '000001'))
    expect(names).toEqual(expect.arrayContaining([`${LONG}000001`, `${LONG}000002`]))
    const records = await readdir(join(folder.path, '000001', 'index'))
    expect(records).toContain(`${recordName(`${LONG}000001`)}.json`)
    const [closed] = await listClosedFiles(folder.path)
    expect(closed).toMatchObject({ name: `${LONG}000001`, bytes: FIRST.length })
    await using again = await SpoolFixture.open(folder.path)
    expect(again.spool.storedFiles().map(({ name }) => name)).toEqual([
      `${LONG}000001`,
      `${LONG}000002`,
    ])
    expect(again.spool.gtids()).toBe(facts.end)
  })

  test('leaves its record where retention was interrupted, and that is understood', () => {
    const record = recordName(`${LONG}000042`)
    expect(record).toMatch(/^sha256-[0-9a-f]{64}\.000042$/)
    expect(recordName(record)).toBe(record)
    expect(isBinlogName(record)).toBe(true)
    expect(recordName('binlog.000042')).toBe('binlog.000042')
  })
})

describe('a name that cannot be stored', () => {
  test('is told, and ends no session: the next one that can be goes on', async () => {
    await using folder = await temporaryFolder()
    await using fixture = await begun(folder.path)
    fixture.writer.beginFile('../binlog.000001', 0)
    fixture.writer.append(0, FIRST, 0)
    expect(fixture.writer.trouble?.error).toMatchObject({
      code: 'ERR_BINLOG_NAME',
      message: expect.stringContaining('../binlog.000001'),
    })
    expect(await fixture.writer.rewind()).toBeNull()
    await goesOn(fixture)
    expect(fixture.spool.end()).toEqual({ ordinal: 1, offset: FIRST.length })
  })

  test('may be one that only the file system refuses', async () => {
    await using folder = await temporaryFolder()
    const limit = (call: string, path: string): void => {
      if (Buffer.byteLength(basename(path)) <= 143) return
      throw Object.assign(systemError('ENAMETOOLONG', call, path), { path })
    }
    const disk: Disk = {
      ...realDisk,
      async open(path, ...rest) {
        limit('open', path)
        return await realDisk.open(path, ...rest)
      },
      async unlink(path) {
        limit('unlink', path)
        await realDisk.unlink(path)
      },
    }
    await using fixture = await begun(folder.path, disk)
    fixture.writer.beginFile(`${LONG}000001`, 0)
    fixture.writer.append(0, FIRST, 0)
    await expect.poll(() => fixture.writer.trouble?.error.code).toBe('ERR_BINLOG_NAME')
    expect(fixture.writer.trouble?.error.message).toContain(LONG)
    expect(await fixture.writer.rewind()).toBeNull()
    await goesOn(fixture)
  })

  async function goesOn(fixture: SpoolFixture): Promise<void> {
    await fixture.store.beginEpoch(BEGINNING)
    fixture.writer.beginFile('binlog.000001', 0)
    await fixture.write(0, FIRST)
    expect(fixture.broken).toEqual([])
    expect(fixture.writer.trouble).toBeNull()
  }
})
