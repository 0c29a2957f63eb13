import { expect, test } from 'vitest'
import type { RetentionPolicy } from '../../../src/spool/retention.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { BinlogBytes } from '../../helpers/source/binlog-bytes.ts'
import { epochBeginning, epochSource, SpoolFixture } from '../../helpers/spool/spool-fixture.ts'

const UUID = '29d14f05-e66c-11f1-a076-02fc00000001'
const nameOf = (number: number) => `b.${String(number).padStart(6, '0')}`

function fileOf(number: number): Buffer {
  return new BinlogBytes()
    .previousGtids(number === 1 ? '' : `${UUID}:1-${number - 1}`)
    .mysqlTransaction(UUID, number, 4_000)
    .rotate(nameOf(number + 1))
    .take()
}

/** With five files, and a policy that can be changed. */
async function spoolOfFive(disk: MemoryDisk, retention: RetentionPolicy): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open('/s', { disk, retention })
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'first'))
  for (let number = 1; number <= 5; number += 1) {
    fixture.writer.beginFile(nameOf(number), 0)
    await fixture.write(0, fileOf(number))
  }
  return fixture
}

function changeablePolicy(): { -readonly [Key in keyof RetentionPolicy]: RetentionPolicy[Key] } {
  return { ageMsMax: null, bytesMax: null, hardLimit: false }
}

test('a file that is claimed while retention removes those before it stays', async () => {
  const disk = new MemoryDisk()
  const policy = changeablePolicy()
  await using fixture = await spoolOfFive(disk, policy)
  policy.bytesMax = 1
  disk.before = (call) => {
    const second = fixture.spool.files()[1]
    if (call.name === 'unlink' && call.path.endsWith(nameOf(1)) && second !== undefined) {
      fixture.spool.claims.confirm('backup:nightly', second)
    }
    return undefined
  }
  const removed = await fixture.store.applyRetention()
  expect(removed.map(({ ordinal }) => ordinal)).toEqual([1])
})

test('a backup keeps what it reads over a reset of the source, a replica does not', async () => {
  const policy = changeablePolicy()
  await using fixture = await spoolOfFive(new MemoryDisk(), policy)
  const { claims } = fixture.spool
  const [first, second] = fixture.spool.files()
  if (first === undefined || second === undefined) throw new TypeError('there are files')
  claims.confirm('replica:id:2', first)
  claims.confirm('backup:nightly', second)
  await fixture.writer.rewind()
  const reset = epochBeginning(epochSource('mysql'), 'reset', '', true)
  await fixture.store.beginEpoch(reset)
  fixture.writer.beginFile(nameOf(1), 0)
  await fixture.write(0, fileOf(1))
  policy.bytesMax = 1
  expect((await fixture.store.applyRetention()).map(({ ordinal }) => ordinal)).toEqual([1])
  claims.letGo('backup:nightly')
  const rest = await fixture.store.applyRetention()
  expect(rest.map(({ ordinal }) => ordinal)).toEqual([2, 3, 4, 5])
})
