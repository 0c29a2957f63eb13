import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compareFiles } from '../../../../src/lab/compare/compare-spool.ts'
import { flipByte } from '../../../../src/lab/demo/flip-byte.ts'

let directory = ''
let source = ''
let spool = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'landbridge-compare-'))
  source = join(directory, 'source')
  spool = join(directory, 'spool')
})

afterEach(() => rm(directory, { recursive: true }))

const bytes = Buffer.alloc(2_500_000, 'binlog')

test('finds equal files equal, over several chunks', async () => {
  await writeFile(source, bytes)
  await writeFile(spool, bytes)
  expect(await compareFiles(source, spool)).toEqual({ bytes: bytes.length, difference: null })
})

test('finds one changed byte and says where and what', async () => {
  await writeFile(source, bytes)
  await writeFile(spool, bytes)
  const offset = await flipByte(spool)
  const { difference } = await compareFiles(source, spool)
  const byte = bytes.readUInt8(offset)
  const hex = (value: number) => `0x${value.toString(16).padStart(2, '0')}`
  expect(difference).toBe(
    `differs at offset ${offset}: source ${hex(byte)}, spool ${hex(byte ^ 0x01)}`,
  )
})

test('finds a short file, a long file and a missing one', async () => {
  await writeFile(source, bytes)
  await writeFile(spool, bytes.subarray(0, 1_048_576))
  expect((await compareFiles(source, spool)).difference).toBe(
    'source has 2500000 bytes, spool 1048576',
  )
  await writeFile(spool, Buffer.concat([bytes, Buffer.alloc(1)]))
  expect((await compareFiles(source, spool)).difference).toBe(
    'source has 2500000 bytes, spool 2500001',
  )
  await rm(spool)
  expect((await compareFiles(source, spool)).difference).toBe('source has 2500000 bytes, spool 0')
})
