import assert from 'node:assert/strict'
import { EventFramer, type EventVisitor } from '../../../src/binlog/event-framer.ts'
import { EventType } from '../../../src/binlog/event-type.ts'
import { attempt } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { chunksOf } from '../input/chunks.ts'
import { shortFiles, withSums } from '../input/event-bytes.ts'
import { flagged, takeFlags } from '../input/flags.ts'

const CHECKSUM = 1
const MENDED = 2
const CAPTURES = 4
/** With it what is quiet ends somewhere, else it goes as far as the events do. */
const LIMITED = 8
const LIMIT_BYTES = 700

/** Types that a run of quiet events may hold: whether one is reported depends on the chunks. */
const QUIET: ReadonlySet<number> = new Set([
  EventType.IntVar,
  EventType.Rand,
  EventType.UserVar,
  EventType.TableMap,
  EventType.MariadbAnnotateRows,
])
const LOUD: ReadonlySet<number> = new Set(
  Object.values(EventType).filter((type) => !QUIET.has(type)),
)

/** What a visitor sees, apart from what depends on how the bytes came. */
function follow(pieces: readonly Buffer[], flags: number, isQuiet: boolean) {
  const seen: string[] = []
  let offset = 0
  const visitor: EventVisitor = {
    onHeader: (header) => (flags & CAPTURES ? header.size : 0),
    onEnd: (header, body) => {
      if (LOUD.has(header.type)) seen.push(`${offset} ${header.type} ${body.toString('base64')}`)
      offset += header.size
    },
    ...(isQuiet && {
      quietBytes: () =>
        flags & LIMITED ? Math.max(0, LIMIT_BYTES - offset) : Number.POSITIVE_INFINITY,
      onQuiet: (bytes: number) => {
        offset += bytes
      },
    }),
  }
  const framer = new EventFramer({ checksum: (flags & CHECKSUM) !== 0, visitor })
  const outcome = attempt(() => {
    for (const piece of pieces) framer.push(piece, 0, piece.length)
    return { open: framer.openBytes, missing: framer.missingBytes, checksum: framer.hasChecksum }
  })
  return { seen, offset, outcome }
}

function run(input: Buffer): void {
  const { flags, bytes } = takeFlags(input)
  const events = flags & MENDED ? withSums(bytes) : bytes
  const plain = follow([events], flags, false)
  const pieces = chunksOf(events)
  assert.deepEqual(follow(pieces, flags, false), plain, 'pieces are seen as the whole is')
  assert.deepEqual(follow([events], flags, true), plain, 'the kernel sees what JavaScript sees')
  assert.deepEqual(follow(pieces, flags, true), plain, 'the kernel sees it in pieces as well')
}

export const createTarget = async (): Promise<FuzzTarget> => ({
  inputBytesMax: 1500,
  seeds: flagged(
    [MENDED, CHECKSUM | MENDED, CHECKSUM | MENDED | CAPTURES | LIMITED, CAPTURES],
    shortFiles(4).map((file) => file.subarray(4)),
  ),
  run,
})
