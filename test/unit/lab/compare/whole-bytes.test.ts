import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EventFlag } from '../../../../src/binlog/event-type.ts'
import { FORMAT_FLAGS_OFFSET, wholeBytes } from '../../../../src/lab/compare/whole-bytes.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'

let directory: string
const { signal } = new AbortController()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whole-'))
})

afterEach(() => rm(directory, { recursive: true }))

const gtid = (sequence: bigint) => ({ domainId: 0, serverId: 1, sequence })

/** Two transactions, the second with `missing` bytes less. */
async function fileOf(missing: number, isInUse: boolean): Promise<{ path: string; first: number }> {
  const bytes = new BinlogBytes().gtidList().mariadbTransaction(gtid(1n))
  const first = bytes.take().length
  const all = Buffer.from(bytes.mariadbTransaction(gtid(2n), 5_000).take())
  const flags = all.readUInt8(FORMAT_FLAGS_OFFSET)
  all.writeUInt8(isInUse ? flags | EventFlag.BinlogInUse : flags, FORMAT_FLAGS_OFFSET)
  const path = join(directory, 'b.000001')
  await writeFile(path, all.subarray(0, all.length - missing))
  return { path, first }
}

test('a transaction that a killed MariaDB left torn never happened', async () => {
  const { path, first } = await fileOf(100, true)
  expect(await wholeBytes(path, 'mariadb', signal)).toBe(first)
})

test('of a file that was closed, or that has only whole transactions, all counts', async () => {
  const torn = await fileOf(100, false)
  expect(await wholeBytes(torn.path, 'mariadb', signal)).toBeGreaterThan(torn.first + 4_000)
  const whole = await fileOf(0, true)
  expect(await wholeBytes(whole.path, 'mariadb', signal)).toBeGreaterThan(whole.first + 5_000)
  const other = await fileOf(100, true)
  expect(await wholeBytes(other.path, 'mysql', signal)).toBeGreaterThan(other.first + 4_000)
})
