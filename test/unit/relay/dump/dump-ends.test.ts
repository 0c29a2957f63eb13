import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EventType } from '../../../../src/binlog/event-type.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { plainRelay } from '../../../helpers/relay/plain-relay.ts'
import { RelayClient } from '../../../helpers/relay/relay-client.ts'
import {
  dumpByGtid,
  dumpFromState,
  endOf,
  event,
  types,
} from '../../../helpers/relay/relay-dump.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'

let directory: string
let stopping: AbortController
let running: Promise<void>[]
let clients: RelayClient[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ends-'))
  stopping = new AbortController()
  running = []
  clients = []
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  stopping.abort()
  await Promise.all(running)
  await rm(directory, { recursive: true, force: true })
})

async function connected(store: FolderBinlogStore): Promise<RelayClient> {
  const relay = plainRelay(store, new FakeClock())
  running.push(relay.run(stopping.signal))
  const port = await relay.ready({ signal: stopping.signal })
  const login = { port, user: 'replica', password: 'right', tls: false }
  const client = await RelayClient.login(login)
  clients.push(client)
  return client
}

const gtid = (text: string) => {
  const [domainId = 0, serverId = 0, sequence = 0] = text.split('-').map(Number)
  return { domainId, serverId, sequence: BigInt(sequence) }
}
const FIRST = { ordinal: 1, name: 'b.000001', gtidsBefore: '' }
const GROUPS = 300
/** Enough of them that the numbers of packets begin anew in between. */
const PLACES = [0, 1, 2, 83, 84, 85, 170, GROUPS - 1]

describe('a refusal reaches the replica behind all that comes before it', () => {
  test.each(PLACES)('MySQL: a transaction without a GTID behind %i others', async (place) => {
    const file = new BinlogBytes().previousGtids('')
    for (let index = 0; index < GROUPS; index += 1) {
      if (index === place) file.anonymousTransaction()
      else file.mysqlTransaction(SOURCE_UUID, index + 1)
    }
    const store = new FolderBinlogStore(directory, 'mysql')
    await store.put(FIRST, file.take(), `${SOURCE_UUID}:1-${GROUPS}`)
    const client = await connected(store)
    await dumpByGtid(client, '')
    const { types: seen, errno, text } = await endOf(client)
    expect([seen.length, errno]).toEqual([3 + 3 * place, 1236])
    expect(text).toContain(
      'landbridge: the source wrote transactions without a GTID that come next',
    )
    expect(await client.next()).toBeUndefined()
  })

  test.each(PLACES.slice(0, -1))('MariaDB: a gap behind %i groups', async (place) => {
    const file = new BinlogBytes().gtidList()
    for (let index = 0; index < place; index += 1) file.mariadbTransaction(gtid(`0-1-${index + 1}`))
    file.mariadbTransaction(gtid('7-1-4')).mariadbTransaction(gtid('7-1-9'))
    const store = new FolderBinlogStore(directory, 'mariadb')
    await store.put(FIRST, file.take(), `0-1-${place},7-1-9`)
    const client = await connected(store)
    await dumpFromState(client, '7-1-5')
    const { types: seen, errno, text } = await endOf(client)
    expect([seen.length, errno]).toEqual([3 + 3 * place, 1236])
    expect(text).toContain('7-1-5 is missing')
  })

  test.each(PLACES)('MariaDB: a stranger in a domain that appears late, %i', async (place) => {
    const file = new BinlogBytes().gtidList()
    const store = new FolderBinlogStore(directory, 'mariadb')
    await store.put(FIRST, file.take(), '')
    const client = await connected(store)
    await dumpFromState(client, '7-9-5')
    expect(await types(client, 3)).toEqual([4, 15, 163])
    for (let index = 0; index < place; index += 1) file.mariadbTransaction(gtid(`0-1-${index + 1}`))
    file.mariadbTransaction(gtid('7-1-1'))
    await store.put(FIRST, file.take(), `0-1-${place},7-1-1`)
    expect(await types(client, 3 * place)).toHaveLength(3 * place)
    await expect(event(client)).rejects.toThrow('the replica stands at 7-9-5')
  })

  test('files that were removed before they were sent', async () => {
    const store = new FolderBinlogStore(directory, 'mysql')
    const first = new BinlogBytes().previousGtids('').mysqlTransaction(SOURCE_UUID, 1)
    await store.put(FIRST, first.take(), `${SOURCE_UUID}:1`)
    const client = await connected(store)
    await dumpByGtid(client, '')
    expect(await types(client, 6)).toHaveLength(6)
    const third = new BinlogBytes().previousGtids(`${SOURCE_UUID}:1-2`)
    const file = { ordinal: 3, name: 'b.000003', gtidsBefore: `${SOURCE_UUID}:1-2` }
    await store.put(file, third.take(), `${SOURCE_UUID}:1-2`)
    await expect(event(client)).rejects.toThrow('removed before they were sent')
  })
})

describe('a MySQL dump does not begin behind transactions without a GTID', () => {
  const held = `${SOURCE_UUID}:1-2`

  /** Two with a GTID, then `count` without, then an empty file, then the newest with `later`. */
  async function storeWith(count: number, later: number): Promise<FolderBinlogStore> {
    const store = new FolderBinlogStore(directory, 'mysql')
    const first = new BinlogBytes().previousGtids('')
    first.mysqlTransaction(SOURCE_UUID, 1).mysqlTransaction(SOURCE_UUID, 2)
    for (let index = 0; index < count; index += 1) first.anonymousTransaction(60_000)
    await store.put(FIRST, first.rotate('b.000002').take(), held)
    const second = new BinlogBytes().previousGtids(held).rotate('b.000003')
    const empty = { ordinal: 2, name: 'b.000002', gtidsBefore: held }
    await store.put(empty, second.take(), held)
    const third = new BinlogBytes().previousGtids(held)
    for (let index = 0; index < later; index += 1) third.mysqlTransaction(SOURCE_UUID, 3 + index)
    const newest = { ordinal: 3, name: 'b.000003', gtidsBefore: held }
    await store.put(newest, third.take(), `${SOURCE_UUID}:1-${2 + later}`)
    return store
  }

  test.each([
    [1, 0],
    [1, 2],
    [6, 1],
  ])('%i of them, %i with one behind them', async (count, later) => {
    const client = await connected(await storeWith(count, later))
    await dumpByGtid(client, held)
    const { types: seen, errno, text } = await endOf(client)
    expect([seen, errno]).toEqual([[], 1236])
    expect(text).toContain('transactions without a GTID in b.000001')
  })

  test('unless the replica has something that was written behind them', async () => {
    const client = await connected(await storeWith(2, 2))
    await dumpByGtid(client, `${SOURCE_UUID}:1-3`)
    expect(await types(client, 4)).toEqual([4, 15, 35, 41])
    expect(await types(client, 3)).toEqual([33, 19, 16])
  })

  test('and begins as ever where there are none', async () => {
    const client = await connected(await storeWith(0, 1))
    await dumpByGtid(client, held)
    expect(await types(client, 6)).toEqual([4, 15, 35, 33, 19, 16])
  })
})

describe('a MariaDB dump until a place', () => {
  const UNTIL_REACHED = 0x1000_0000

  async function storeOf(...texts: readonly string[]): Promise<FolderBinlogStore> {
    const file = new BinlogBytes().gtidList()
    for (const text of texts) file.mariadbTransaction(gtid(text))
    const store = new FolderBinlogStore(directory, 'mariadb')
    await store.put(FIRST, file.take(), texts.at(-1) ?? '')
    return store
  }

  test('ends with a list that says so, at the place behind the last group', async () => {
    const client = await connected(await storeOf('0-1-1', '0-1-2', '0-1-3'))
    await dumpFromState(client, '', { until: '0-1-2' })
    expect(await types(client, 9)).toEqual([4, 15, 163, 162, 19, 16, 162, 19, 16])
    const list = await event(client)
    expect([list.type, list.flags]).toEqual([163, 0x20])
    expect(list.body.readUInt32LE(0)).toBe(UNTIL_REACHED + 1)
    expect(list.body.readBigUInt64LE(12)).toBe(2n)
    expect((await client.need())[0]).toBe(0xfe)
    expect(await client.next()).toBeUndefined()
  })

  test('that is reached at once ends behind one event', async () => {
    const client = await connected(await storeOf('0-1-1', '0-1-2'))
    await dumpFromState(client, '0-1-1', { until: '' })
    const { types: seen, errno } = await endOf(client)
    expect([seen, errno]).toEqual([[4, 15, 163, 163], null])
  })

  test('waits while it is still to come', async () => {
    const store = await storeOf('0-1-1')
    const client = await connected(store)
    await dumpFromState(client, '', { until: '0-1-2' })
    expect(await types(client, 6)).toEqual([4, 15, 163, 162, 19, 16])
    const longer = new BinlogBytes().gtidList()
    for (const text of ['0-1-1', '0-1-2', '0-1-3']) longer.mariadbTransaction(gtid(text))
    await store.put(FIRST, longer.take(), '0-1-3')
    expect(await types(client, 4)).toEqual([162, 19, 16, 163])
    expect((await client.need())[0]).toBe(0xfe)
  })

  test('that nobody can read is refused', async () => {
    const client = await connected(await storeOf('0-1-1'))
    await dumpFromState(client, '', { until: 'nonsense' })
    expect((await endOf(client)).errno).toBe(1236)
  })
})

test('a file that is removed while it is sent ends the dump', async () => {
  const store = new FolderBinlogStore(directory, 'mysql')
  const first = new BinlogBytes().previousGtids('').mysqlTransaction(SOURCE_UUID, 1)
  await store.put(FIRST, first.take(), `${SOURCE_UUID}:1`)
  const client = await connected(store)
  await dumpByGtid(client, '')
  await expect.poll(() => store.claims.kept.size).toBe(1)
  // It grew, was closed and was removed before the dump looked again.
  const held = `${SOURCE_UUID}:1-100`
  const second = new BinlogBytes().previousGtids(held).mysqlTransaction(SOURCE_UUID, 101)
  store.firstOrdinal = 2
  await store.put({ ordinal: 2, name: 'b.000002', gtidsBefore: held }, second.take(), held)
  const end = await endOf(client)
  expect(end.errno).toBeUndefined()
  expect(end.types.filter((type) => type === EventType.MysqlGtid)).toHaveLength(1)
})
