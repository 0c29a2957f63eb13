import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../src/base/flavor.ts'
import { FrameType } from '../../src/link/frame.ts'
import { FileScanner } from '../../src/spool/file-scanner.ts'
import { recordedFacts, recordedFile } from '../helpers/fixtures.ts'
import { MemoryLink } from '../helpers/memory-link.ts'
import { dumpPieces, RecordedSource } from '../helpers/recorded-source.ts'
import type { Judge } from '../helpers/socket-pair.ts'
import { SpoolFixture, temporaryFolder, until } from '../helpers/spool-fixture.ts'

const sum = (bytes: Buffer): number => crc32(bytes)

function isData(message: Buffer): boolean {
  return message.readUInt8(0) === FrameType.Data
}

/** Cuts the connection instead of the n-th frame of data. */
function cutAt(n: number): Judge {
  let seen = 0
  return (message) => {
    if (!isData(message)) return 'deliver'
    seen += 1
    return seen > n ? 'cut' : 'deliver'
  }
}

async function expectIdentical(folder: string, fixture: SpoolFixture): Promise<void> {
  const { flavor } = fixture.spool.identity() ?? { flavor: 'mysql' }
  for (const n of [1, 2] as const) {
    const stored = await readFile(join(folder, '000001', `binlog.00000${n}`))
    expect(stored.equals(recordedFile(flavor, n))).toBe(true)
  }
  expect(fixture.spool.gtids()).toBe(recordedFacts(flavor).end)
  // Each was counted once, however often it was sent.
  expect(fixture.commitMs).toHaveLength(transactionsIn(flavor))
}

function transactionsIn(flavor: Flavor): number {
  let total = 0
  const count = (): void => {
    total += 1
  }
  const sink = { onTransaction: count, onPreviousGtids: () => undefined }
  for (const n of [1, 2] as const) {
    new FileScanner(flavor, { offset: 0, checksum: false }, sink).push(recordedFile(flavor, n))
  }
  return total
}

function isComplete(fixture: SpoolFixture): boolean {
  const flavor = fixture.spool.identity()?.flavor
  const end = fixture.spool.end()
  if (flavor === undefined || end === null) return false
  return end.ordinal >= 2 && fixture.spool.gtids() === recordedFacts(flavor).end
}

describe.each(['mysql', 'mariadb'] as const)('%s, source to spool in memory', (flavor) => {
  const pieces = dumpPieces(flavor, null, sum).length

  async function withCuts(judges: readonly Judge[], dr?: Judge): Promise<RecordedSource> {
    await using folder = await temporaryFolder()
    await using fixture = await SpoolFixture.open(folder.path)
    const source = new RecordedSource(flavor, sum)
    const link = new MemoryLink({ source, spool: fixture })
    for (const production of judges) {
      const session = link.connect({ production, ...(dr && { dr }) })
      const ended = await Promise.race([session.over, until(() => isComplete(fixture))])
      if (ended === undefined) await session.stop()
    }
    const last = link.connect()
    await until(() => isComplete(fixture))
    await last.stop()
    await expectIdentical(folder.path, fixture)
    return source
  }

  test('arrives byte for byte', async () => {
    expect((await withCuts([])).starts).toEqual(['new epoch'])
  })

  test('goes on from what is synced when cut at any frame', async () => {
    // A piece is half an event: the cuts fall on every boundary and inside every event of the
    // first transactions, then on some of the rest.
    let n = 0
    for (; n < pieces; n += n < 70 ? 1 : 6) {
      const { starts } = await withCuts([cutAt(n)])
      if (starts.length === 1) break
      expect(starts[0]).toBe('new epoch')
    }
    expect(n).toBeGreaterThan(100)
  }, 120_000)

  test('goes on when it is cut again and again', async () => {
    await withCuts([3, 1, 30, 2, 40, 0, 50, 60].map(cutAt))
  })

  test('doubles nothing when the acknowledgements were lost', async () => {
    const loseAcks: Judge = (message) =>
      message.readUInt8(0) === FrameType.Ack ? 'drop' : 'deliver'
    await withCuts([cutAt(40), cutAt(60)], loseAcks)
  })
})
