import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Flavor } from '../../../../src/base/flavor.ts'
import type { SourceIdentity } from '../../../../src/binlog/log.ts'
import { parseMariadbGtidState } from '../../../../src/binlog/mariadb-gtid-state.ts'
import { encodeMysqlGtidSet, parseMysqlGtidSet } from '../../../../src/binlog/mysql-gtid-set.ts'
import { startByMariadbState, startByMysqlSet } from '../../../../src/relay/dump/dump-start.ts'
import { DumpUntil } from '../../../../src/relay/dump/dump-until.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'

/** What is synced of a file whose format description is stored and nothing behind it. */
const HEAD_ONLY = new BinlogBytes().size

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'start-'))
})

afterEach(() => rm(directory, { recursive: true, force: true }))

const gtid = (sequence: number) => ({ domainId: 0, serverId: 1, sequence: BigInt(sequence) })

/** binlog.000001 with 0-1-1 to 0-1-3, and what is given as the next file. */
async function storeOf(flavor: Flavor): Promise<FolderBinlogStore> {
  const store = new FolderBinlogStore(directory, flavor)
  const first = new BinlogBytes()
  if (flavor === 'mysql') first.previousGtids('')
  else first.gtidList()
  for (const number of [1, 2, 3]) {
    if (flavor === 'mysql') first.mysqlTransaction(SOURCE_UUID, number)
    else first.mariadbTransaction(gtid(number))
  }
  const held = flavor === 'mysql' ? `${SOURCE_UUID}:1-3` : '0-1-3'
  const file = { ordinal: 1, name: 'binlog.000001', gtidsBefore: '' }
  await store.put(file, first.rotate('binlog.000002').take(), held)
  return store
}

const NEXT = { ordinal: 2, name: 'binlog.000002' }

describe('a MariaDB dump', () => {
  test('waits for what the replica has while it is on its way from the source', async () => {
    const store = await storeOf('mariadb')
    expect(await startAt(store, '0-1-9', '0-1-12')).toBeNull()
    await expect(startAt(store, '0-1-9', '0-1-8')).rejects.toMatchObject(refused)
    await expect(startAt(store, '0-1-9')).rejects.toMatchObject(refused)
  })

  const startAt = async (
    store: FolderBinlogStore,
    connectState: string,
    atSource: string | null = null,
    until: DumpUntil | null = null,
    ignoreDuplicates = false,
  ) =>
    await startByMariadbState(store, {
      connectState,
      strict: false,
      atSource: { gtids: atSource, unlogged: null },
      until,
      ignoreDuplicates,
    })

  test('goes on for a replica that got later transactions on another way', async () => {
    const store = await storeOf('mariadb')
    const at = (state: string) => startAt(store, state, null, null, true)
    const filter = (await at('0-1-9'))?.filter
    const held = new BinlogBytes().mariadbTransaction(gtid(7)).take().subarray(HEAD_ONLY)
    expect(filter?.isHeld(held)).toBe(true)
    filter?.caughtUp()
    // But a number that the source gave to another server's transaction is no later one.
    const other = new BinlogBytes().gtidList(gtid(3))
    other.mariadbTransaction({ ...gtid(4), serverId: 2 }).mariadbTransaction(gtid(5))
    await store.put({ ...NEXT, gtidsBefore: '0-1-3' }, other.take(), '0-2-4,0-1-5')
    await expect(at('0-2-5')).rejects.toMatchObject(refused)
  })

  const untilOf = (places: string) =>
    new DumpUntil({ places: parseMariadbGtidState(places), isBefore: false })

  test('to a place before the replica wants nothing, also where that is unknown', async () => {
    const store = await storeOf('mariadb')
    for (const connectState of ['0-1-9', '0-5-9']) {
      const until = untilOf('0-1-2')
      const start = await startAt(store, connectState, null, until)
      expect([start?.file.name, start?.filter.isLast]).toEqual(['binlog.000001', true])
      // Another domain has not been reached, but this one is over all the same.
      const other = await startAt(store, connectState, null, untilOf('3-1-2'))
      expect(other?.filter.isLast).toBe(false)
      await expect(startAt(store, connectState, null, untilOf('0-1-7'))).rejects.toMatchObject(
        refused,
      )
    }
  })

  test('to a place before the file that it begins with wants nothing', async () => {
    const store = await storeOf('mariadb')
    const next = new BinlogBytes().gtidList(gtid(3)).mariadbTransaction(gtid(4))
    await store.put({ ...NEXT, gtidsBefore: '0-1-3' }, next.take(), '0-1-4')
    const isLast = async (places: string) =>
      (await startAt(store, '0-1-3', null, untilOf(places)))?.filter.isLast
    expect(await isLast('0-1-2')).toBe(true)
    expect(await isLast('0-1-3')).toBe(true)
    expect(await isLast('0-1-4')).toBe(false)
    expect(await isLast('0-2-1')).toBe(false)
    expect(await isLast('')).toBe(true)
  })

  test.each(['', '0-1-1', '0-1-3'])(
    'from "%s" does not begin in a file whose list of GTIDs is not stored yet',
    async (state) => {
      const store = await storeOf('mariadb')
      const next = new BinlogBytes().gtidList(gtid(3)).mariadbTransaction(gtid(4))
      await store.put({ ...NEXT, gtidsBefore: '0-1-3' }, next.take(), '0-1-3', HEAD_ONLY)
      expect((await startAt(store, state))?.file.name).toBe('binlog.000001')
    },
  )

  test('does not begin in a file without a list, nor with one that says too little', async () => {
    const store = await storeOf('mariadb')
    const bare = new BinlogBytes().mariadbTransaction(gtid(4))
    await store.put({ ...NEXT, gtidsBefore: '0-1-3' }, bare.take(), '0-1-4')
    expect((await startAt(store, '0-1-1'))?.file.name).toBe('binlog.000001')
    const empty = new BinlogBytes().gtidList().mariadbTransaction(gtid(4))
    await store.put({ ...NEXT, gtidsBefore: '0-1-3' }, empty.take(), '0-1-4')
    expect((await startAt(store, '0-1-1'))?.file.name).toBe('binlog.000001')
    expect((await startAt(store, '0-1-3'))?.file.name).toBe('binlog.000002')
  })

  test('begins by its list alone where a new lineage begins', async () => {
    const store = await storeOf('mariadb')
    const fresh = new BinlogBytes().gtidList().mariadbTransaction(gtid(1))
    await store.put({ ...NEXT, epoch: 2, gtidsBefore: '0-1-3' }, fresh.take(), '0-1-1')
    expect((await startAt(store, '0-1-1'))?.file.epoch).toBe(2)
  })

  test('begins in the epoch before for a replica behind one whose list says nothing', async () => {
    const store = await storeOf('mariadb')
    // Made from a backup at 0-1-3: its files begin there, and their list knows nothing of it.
    const taken = new BinlogBytes().gtidList().mariadbTransaction(gtid(4))
    await store.put({ ...NEXT, epoch: 2, gtidsBefore: '0-1-3' }, taken.take(), '0-1-4')
    store.epochs.set(2, '0-1-3')
    expect((await startAt(store, '0-1-2'))?.file.epoch).toBe(1)
    expect((await startAt(store, ''))?.file.epoch).toBe(1)
    expect((await startAt(store, '0-1-3'))?.file.epoch).toBe(2)
  })

  test('waits while the only file has no list yet', async () => {
    const store = new FolderBinlogStore(directory, 'mariadb')
    const file = { ordinal: 1, name: 'binlog.000007', gtidsBefore: '0-1-3' }
    const content = new BinlogBytes().gtidList(gtid(3)).take()
    await store.put(file, content, '0-1-3', HEAD_ONLY)
    expect(await startAt(store, '0-1-3')).toBeNull()
    await store.put(file, content, '0-1-3')
    expect((await startAt(store, '0-1-3'))?.file.name).toBe('binlog.000007')
    await expect(startAt(store, '0-1-2')).rejects.toMatchObject({ code: 'ERR_DUMP_REFUSED' })
  })
})

const refused = { code: 'ERR_DUMP_REFUSED' }

test('a MySQL dump goes by what was counted, also before Previous_gtids is stored', async () => {
  const store = await storeOf('mysql')
  const gtidsBefore = `${SOURCE_UUID}:1-3`
  const next = new BinlogBytes().previousGtids(gtidsBefore)
  await store.put({ ...NEXT, gtidsBefore }, next.take(), gtidsBefore, HEAD_ONLY)
  const startAt = async (
    held: string,
    atSource: string | null = null,
    unlogged: string | null = null,
  ) => {
    const gtids = encodeMysqlGtidSet(parseMysqlGtidSet(held))
    const source = store.identity() as SourceIdentity
    const wanted = { gtids, file: '', position: 4n }
    return await startByMysqlSet(store, source, wanted, { gtids: atSource, unlogged })
  }
  expect((await startAt(`${SOURCE_UUID}:1-2`))?.file.name).toBe('binlog.000001')
  expect((await startAt(gtidsBefore))?.file.name).toBe('binlog.000002')
  // A spool that began anew: what the replica has is on its way, unless its source lacks it too.
  const ahead = `${SOURCE_UUID}:1-9`
  expect(await startAt(ahead, `${SOURCE_UUID}:1-12`)).toBeNull()
  await expect(startAt(ahead, `${SOURCE_UUID}:1-8`)).rejects.toMatchObject(refused)
  await expect(startAt(ahead)).rejects.toMatchObject(refused)
  // What none of the source's logs has is not on its way: a replica that has it goes on.
  const added = `${SOURCE_UUID}:4-9`
  expect((await startAt(ahead, `${SOURCE_UUID}:1-9`, added))?.file.name).toBe('binlog.000002')
  await expect(startAt(ahead, `${SOURCE_UUID}:1-3`, null)).rejects.toMatchObject(refused)
})
