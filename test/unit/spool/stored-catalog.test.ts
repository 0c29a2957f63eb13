import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { realDisk } from '../../../src/base/disk.ts'
import type { FileIndexRecord } from '../../../src/spool/spool-file.ts'
import { StoredCatalog } from '../../../src/spool/stored-catalog.ts'
import { epochBeginning, epochSource, temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const FILES = 60
const INTERVALS = 20_000

test('the records of many files with large sets of GTIDs cost little memory', async () => {
  await using folder = await temporaryFolder()
  const numbers = Array.from({ length: INTERVALS }, (_, index) => 1_000_000 + 2 * index).join(':')
  const setOf = (last: number) => `${UUID}:1-${last + 1}:${numbers}`
  const epoch = join(folder.path, '000001')
  await mkdir(join(epoch, 'index'), { recursive: true })
  const beginning = epochBeginning(epochSource('mysql'), 'first start')
  const about = { format: 1, epoch: 1, startedAtMs: 1, ...beginning }
  await writeFile(join(epoch, 'epoch.json'), JSON.stringify(about))
  for (let ordinal = 1; ordinal <= FILES; ordinal += 1) {
    const name = `binlog.${String(ordinal).padStart(6, '0')}`
    await writeFile(join(epoch, name), Buffer.alloc(200))
    const gtids = { gtidsBefore: setOf(ordinal - 1), gtidsAfter: setOf(ordinal) }
    const figures = { bytes: 200, complete: true, transactions: 1, checksum: true, closed: true }
    const times = { firstTimestamp: 1, lastTimestamp: 1 }
    const record: FileIndexRecord = { format: 1, name, ordinal, ...gtids, ...figures, ...times }
    await writeFile(join(epoch, 'index', `${name}.json`), JSON.stringify(record))
  }
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const usedBytes = () => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const { signal } = new AbortController()
  const before = usedBytes()
  const stored = new StoredCatalog({ directory: folder.path, disk: realDisk })
  const catalog = await stored.read(signal)
  const growth = usedBytes() - before
  expect(growth).toBeLessThan((FILES * setOf(0).length) / 2)
  expect([catalog.files().length, catalog.gtids()]).toEqual([FILES, setOf(FILES)])
  expect((await stored.read(signal)).gtids()).toBe(setOf(FILES))
})
