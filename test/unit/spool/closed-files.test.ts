import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listClosedFiles } from '../../../src/spool/closed-files.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'landbridge-closed-'))
})

afterEach(() => rm(directory, { recursive: true }))

async function store(epoch: string, name: string, record: object | string): Promise<void> {
  const index = join(directory, epoch, 'index')
  await mkdir(index, { recursive: true })
  await writeFile(join(directory, epoch, name), 'bytes')
  const text = typeof record === 'string' ? record : JSON.stringify(record)
  await writeFile(join(index, `${name}.json`), text)
}

function record(name: string, ordinal: number, closed: boolean): object {
  return {
    ...{ format: 1, name, ordinal, bytes: 5, complete: closed, closed, checksum: true },
    ...{ gtidsBefore: '0-1-1', gtidsAfter: '0-1-9', transactions: 8 },
    ...{ firstTimestamp: 1, lastTimestamp: 2 },
  }
}

test('lists what is closed, in the order of writing, over all epochs', async () => {
  await store('000002', 'binlog.000001', record('binlog.000001', 3, true))
  await store('000001', 'binlog.000010', record('binlog.000010', 2, true))
  await store('000001', 'binlog.000009', record('binlog.000009', 1, true))
  await store('000002', 'binlog.000002', record('binlog.000002', 4, false))
  const files = await listClosedFiles(directory)
  expect(files.map(({ epoch, name }) => `${epoch} ${name}`)).toEqual([
    '1 binlog.000009',
    '1 binlog.000010',
    '2 binlog.000001',
  ])
  expect(files[0]).toEqual({
    epoch: 1,
    name: 'binlog.000009',
    path: join(directory, '000001', 'binlog.000009'),
    bytes: 5,
    transactions: 8,
    gtidsBefore: '0-1-1',
    gtidsAfter: '0-1-9',
  })
})

test('leaves out a file whose record is missing or damaged', async () => {
  await store('000001', 'binlog.000001', '{ half')
  await mkdir(join(directory, '000001', 'index'), { recursive: true })
  await writeFile(join(directory, '000001', 'binlog.000002'), 'bytes')
  expect(await listClosedFiles(directory)).toEqual([])
})
