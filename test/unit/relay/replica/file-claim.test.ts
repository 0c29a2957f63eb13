import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogFile } from '../../../../src/binlog/log.ts'
import { FileClaim, type FileClaimOptions } from '../../../../src/relay/replica/file-claim.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { FolderBinlogStore, SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'

let directory: string
let store: FolderBinlogStore
let clock: FakeClock

/** Five files of ten transactions each. */
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'claim-'))
  store = new FolderBinlogStore(directory, 'mysql')
  clock = new FakeClock()
  for (let ordinal = 1; ordinal <= 5; ordinal += 1) {
    const gtidsBefore = ordinal === 1 ? '' : upTo((ordinal - 1) * 10)
    const file = { ordinal, name: `binlog.00000${ordinal}`, gtidsBefore }
    await store.put(file, Buffer.alloc(4), upTo(ordinal * 10))
  }
})

afterEach(() => rm(directory, { recursive: true, force: true }))

const upTo = (number: number) => `${SOURCE_UUID}:1-${number}`
const needed = () => store.claims.kept.get('replica:1')
const file = (ordinal: number) => store.files()[ordinal - 1] as LogFile

function claimOf(options: Partial<FileClaimOptions> = {}): FileClaim {
  const keepSentMs = Number.POSITIVE_INFINITY
  const applied = () => null
  return new FileClaim({ store, clock, claim: 'replica:1', applied, keepSentMs, ...options })
}

test('without knowledge a replica needs all from the start of its dump', () => {
  const claim = claimOf()
  for (const ordinal of [2, 3, 4]) claim.reach(file(ordinal))
  expect(needed()).toBe('binlog.000002')
  claimOf().reach(file(3))
  expect(needed()).toBe('binlog.000003')
})

test('and not for ever: what was sent long ago is taken for applied', async () => {
  const claim = claimOf({ keepSentMs: 1000 })
  claim.reach(file(2))
  await clock.advance(600)
  claim.reach(file(3))
  await clock.advance(600)
  claim.reach(file(4))
  expect(needed()).toBe('binlog.000002')
  await clock.advance(400)
  claim.confirm()
  expect(needed()).toBe('binlog.000003')
  await clock.advance(10_000)
  claim.confirm()
  expect(needed()).toBe('binlog.000004')
})

test('one that can be asked needs the file of its first transaction that is not applied', () => {
  let applied = upTo(15)
  // It was sent the rest already, so its dump starts with a newer file than it has applied.
  const claim = claimOf({ applied: () => applied, keepSentMs: 0 })
  claim.reach(file(4))
  expect(needed()).toBe('binlog.000002')
  applied = upTo(30)
  claim.confirm()
  expect(needed()).toBe('binlog.000004')
  applied = upTo(50)
  claim.confirm()
  expect(needed()).toBe('binlog.000004')
  claim.reach(file(5))
  expect(needed()).toBe('binlog.000005')
})

test('what it had applied may be learned only after its dump began', () => {
  let applied: string | null = null
  const claim = claimOf({ applied: () => applied })
  claim.reach(file(4))
  expect(needed()).toBe('binlog.000004')
  applied = upTo(15)
  claim.confirm()
  expect(needed()).toBe('binlog.000002')
})
