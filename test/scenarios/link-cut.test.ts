import { setImmediate as turn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../src/base/flavor.ts'
import { FileScanner } from '../../src/binlog/file-scanner.ts'
import { decodeFrame, FrameType } from '../../src/link/frame.ts'
import { MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { eventsOf, type RawEvent, recordedFacts, recordedFile } from '../helpers/fixtures.ts'
import { MemoryLink } from '../helpers/link/memory-link.ts'
import type { Fate, Judge } from '../helpers/link/socket-pair.ts'
import { RecordedSource } from '../helpers/source/recorded-source.ts'
import { boundariesOf } from '../helpers/source/transaction-boundaries.ts'
import { SpoolFixture, until } from '../helpers/spool/spool-fixture.ts'
import { SPOOL } from '../helpers/spool/spool-run.ts'
import { partOf } from '../helpers/thoroughness.ts'

const sum = (bytes: Buffer): number => crc32(bytes)

/** Where a frame of data begins: what is before it has arrived. */
interface Place {
  readonly file: string
  readonly offset: number
}

/** Told where each frame of data begins. */
function watching(judge: (place: Place) => Fate): Judge {
  let file = ''
  return (message) => {
    const frame = decodeFrame(Buffer.from(message))
    if (frame.type === FrameType.File) file = frame.name
    return frame.type === FrameType.Data ? judge({ file, offset: frame.offset }) : 'deliver'
  }
}

/** Cuts the connection instead of the frame that begins there. */
function cutAt({ file, offset }: Place): Judge {
  return watching((place) => (place.file === file && place.offset === offset ? 'cut' : 'deliver'))
}

function payloadBytes(message: Buffer): number {
  const frame = decodeFrame(Buffer.from(message))
  return frame.type === FrameType.Data ? frame.rawBytes : 0
}

function expectIdentical(disk: MemoryDisk, fixture: SpoolFixture): void {
  const { flavor } = fixture.spool.identity() ?? { flavor: 'mysql' }
  for (const n of [1, 2] as const) {
    const stored = disk.bytesOf(`${SPOOL}/000001/binlog.00000${n}`)
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
  return end.ordinal === 2 && end.offset === recordedFile(flavor, 2).length
}

describe.each(['mysql', 'mariadb'] as const)('%s, source to spool in memory', (flavor) => {
  /**
   * One session for each judge, then one that nothing disturbs. What has arrived is synced before
   * more is sent, so that each session goes on where the one before it was cut.
   */
  async function withCuts(judges: readonly Judge[], dr?: Judge): Promise<RecordedSource> {
    const disk = new MemoryDisk()
    await using fixture = await SpoolFixture.open(SPOOL, { disk })
    const source = new RecordedSource(flavor, sum)
    const link = new MemoryLink({ source, spool: fixture })
    for (const production of [...judges, () => 'deliver' as const]) {
      let wantedBytes = fixture.syncedBytes
      const counting: Judge = (message) => {
        const fate = production(message)
        if (fate === 'deliver') wantedBytes += payloadBytes(message)
        return fate
      }
      source.pause = async (signal) => {
        do await turn()
        while (fixture.syncedBytes < wantedBytes && !signal.aborted)
      }
      const session = link.connect({ production: counting, ...(dr && { dr }) })
      const isDone = until(() => isComplete(fixture)).then(() => 'complete')
      if ((await Promise.race([session.over, isDone])) === 'complete') await session.stop()
    }
    expectIdentical(disk, fixture)
    return source
  }

  /** All frames of a stream that nothing disturbs. The source cuts every event in two. */
  async function placesOf(): Promise<Place[]> {
    const places: Place[] = []
    const note = watching((place) => {
      places.push(place)
      return 'deliver'
    })
    await withCuts([note])
    return places
  }

  function isIn({ file, offset }: Place, { start, end }: Transaction): boolean {
    return file === 'binlog.000001' && offset > start && offset <= end
  }

  /** Where a source is asked to go on when everything before `place` is synced. */
  function startAfter({ file, offset }: Place): RecordedSource['starts'][number] {
    const bytes = recordedFile(flavor, file === 'binlog.000001' ? 1 : 2)
    const held = boundariesOf(flavor, bytes).findLast((boundary) => boundary.offset <= offset)
    if (held !== undefined && held.offset > 0) return { file, offset: held.offset }
    return file === 'binlog.000001' ? 'new epoch' : { file, offset: 0 }
  }

  test('arrives byte for byte', async () => {
    expect((await withCuts([])).starts).toEqual(['new epoch'])
  })

  test('meets transactions of several events, with frames that begin at and in each', async () => {
    const places = await placesOf()
    const transactions = transactionsOf(flavor)
    expect(transactions.length).toBeGreaterThan(2)
    for (const { events } of transactions) {
      for (const { start, end } of events) {
        const offsets = places.filter((place) => place.file === 'binlog.000001')
        const inside = offsets.filter(({ offset }) => offset > start && offset < end)
        expect(inside.length).toBeGreaterThan(0)
        expect(offsets.some(({ offset }) => offset === start)).toBe(true)
      }
    }
  })

  test('goes on from what is synced when cut at any event and in its middle', async () => {
    const places = await placesOf()
    const [longest] = transactionsOf(flavor)
    if (longest === undefined) throw new Error('no transaction')
    // Every boundary and the inside of every event of the longest transaction, and a part of all
    // others: another part with another seed, all of them in a full run.
    const inside = places.filter((place) => isIn(place, longest))
    const others = places.filter((place) => !isIn(place, longest))
    for (const place of [...inside, ...partOf(others, 4)]) {
      const { starts } = await withCuts([cutAt(place)])
      expect(starts).toHaveLength(2)
      expect(starts[1]).toEqual(startAfter(place))
    }
  })

  test('goes on when it is cut in one transaction again and again', async () => {
    const places = await placesOf()
    for (const transaction of transactionsOf(flavor)) {
      const cuts = places.filter((place) => isIn(place, transaction))
      expect(cuts.length).toBeGreaterThan(6)
      const { starts } = await withCuts(cuts.map(cutAt))
      expect(starts).toEqual(['new epoch', ...cuts.map(startAfter)])
    }
  })

  test('goes on when it is cut at several places', async () => {
    const places = await placesOf()
    await withCuts(partOf(places, 9).map(cutAt))
  })

  test('doubles nothing when the acknowledgements were lost', async () => {
    const loseAcks: Judge = (message) =>
      message.readUInt8(0) === FrameType.Ack ? 'drop' : 'deliver'
    const places = await placesOf()
    await withCuts(partOf(places, 20).map(cutAt), loseAcks)
  })
})

interface Transaction {
  readonly start: number
  readonly end: number
  readonly events: readonly RawEvent[]
}

/** Those of the first file that have most events, longest first. */
function transactionsOf(flavor: Flavor): Transaction[] {
  const file = recordedFile(flavor, 1)
  const ends = boundariesOf(flavor, file).map(({ offset }) => offset)
  const transactions = ends.slice(0, -1).map((start, index) => {
    const end = ends[index + 1] ?? start
    const events = eventsOf(file).filter((event) => event.start >= start && event.end <= end)
    return { start, end, events }
  })
  return transactions
    .filter(({ events }) => events.length >= 4)
    .sort((one, other) => other.events.length - one.events.length)
}
