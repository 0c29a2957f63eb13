import { afterEach, beforeEach, expect, test } from 'vitest'
import { EVENT_COLUMNS, readEventRows } from '../../../../src/relay/query/event-rows.ts'
import type { EventsWish } from '../../../../src/relay/query/sql-statement.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'
import { temporaryFolder } from '../../../helpers/spool/spool-fixture.ts'

const TRANSACTIONS = 400
const NAME = 'b.000001'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let store: FolderBinlogStore
let size: number

beforeEach(async () => {
  folder = await temporaryFolder()
  store = new FolderBinlogStore(folder.path, 'mysql')
  const file = new BinlogBytes().previousGtids('')
  for (let at = 1; at <= TRANSACTIONS; at += 1) file.mysqlTransaction(SOURCE_UUID, at)
  const bytes = file.take()
  size = bytes.length
  const held = `${SOURCE_UUID}:1-${TRANSACTIONS}`
  await store.put({ ordinal: 1, name: NAME, gtidsBefore: '' }, bytes, held)
})

afterEach(() => folder[Symbol.asyncDispose]())

const ask = (wish: Partial<EventsWish> = {}) =>
  readEventRows(store, 'mysql', { file: NAME, from: null, skip: 0, count: null, ...wish })

async function rowsOf(wish: Partial<EventsWish>): Promise<string[][]> {
  const rows = await ask(wish)
  if (!Array.isArray(rows)) throw new Error(JSON.stringify(rows))
  return rows
}

test('a whole file is shown only where it is small: the rest has to be asked for', async () => {
  expect(await ask()).toMatchObject({ number: 1220, message: expect.stringContaining('LIMIT') })
  expect(await ask({ count: 1_001 })).toMatchObject({ number: 1220 })
  expect(await ask({ count: 1, skip: 10_001 })).toMatchObject({ number: 1220 })
  expect(await rowsOf({ count: 1_000 })).toHaveLength(1_000)
  // Behind two events of the file three of each transaction follow.
  expect(await rowsOf({ skip: 1_000 })).toHaveLength(3 * TRANSACTIONS + 2 - 1_000)
  expect(await rowsOf({ count: 0 })).toEqual([])
})

test('what is shown begins at an event, and goes on to the next', async () => {
  const all = await rowsOf({ count: 1_000 })
  expect(all.every((row) => row.length === EVENT_COLUMNS.length)).toBe(true)
  expect(all[2]?.slice(0, 5)).toEqual([NAME, all[1]?.[4], 'Gtid', '1', all[3]?.[1]])
  expect(all[2]?.at(-1)).toBe(`SET @@SESSION.GTID_NEXT= '${SOURCE_UUID}:1'`)
  const from = Number(all[5]?.[1])
  expect(await rowsOf({ from, count: 2 })).toEqual(all.slice(5, 7))
  for (const wrong of [5, from - 1, from + 1, size - 1]) {
    const error = { number: 1220, message: expect.stringContaining('Wrong offset') }
    expect(await ask({ from: wrong, count: 1 })).toMatchObject(error)
  }
  expect([await rowsOf({ from: size }), await rowsOf({ from: size + 100 })]).toEqual([[], []])
  expect(await rowsOf({ file: null, count: 1 })).toEqual(all.slice(0, 1))
  expect(await ask({ file: 'other' })).toMatchObject({ number: 1220 })
})
