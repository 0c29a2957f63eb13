import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realDisk } from '../../../src/base/disk.ts'
import { readFileHead, readGtidsBefore } from '../../../src/binlog/file-head.ts'
import { recoverFile } from '../../../src/binlog/file-recovery.ts'
import { FileScanner } from '../../../src/binlog/file-scanner.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { attempt, attemptAsync } from '../engine/contract.ts'
import type { FuzzTarget } from '../engine/target.ts'
import { chunksOf } from '../input/chunks.ts'
import { recordedFiles, shortFiles, withSums } from '../input/event-bytes.ts'
import { flagged, takeFlags } from '../input/flags.ts'

const MYSQL = 1
const MENDED = 2
const MAGIC_BYTES = 4
const WHOLE_FILE_BYTES_MAX = 2000

type Flavor = 'mysql' | 'mariadb'

/** What a scan finds, whether the bytes come at once or in pieces. */
function scan(pieces: readonly Buffer[], flavor: Flavor) {
  const found: string[] = []
  const scanner = new FileScanner(
    flavor,
    { offset: 0, checksum: false },
    {
      onTransaction: (event) => found.push(JSON.stringify(event, textOfBigint)),
      onPreviousGtids: (text) => found.push(text),
    },
  )
  const outcome = attempt(() => {
    for (const piece of pieces) scanner.push(piece)
    return scanner.offset
  })
  const { boundary, complete, hasChecksum, lastTimestamp } = scanner
  return { found, outcome, boundary, complete, hasChecksum, lastTimestamp }
}

function textOfBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}

/** A stored file of any bytes is cut back to whole transactions, and stays so. */
async function run(input: Buffer, path: string): Promise<void> {
  const { flags, bytes } = takeFlags(input)
  const flavor = flags & MYSQL ? 'mysql' : 'mariadb'
  const content =
    flags & MENDED
      ? Buffer.concat([bytes.subarray(0, MAGIC_BYTES), withSums(bytes.subarray(MAGIC_BYTES))])
      : bytes
  const whole = scan([content], flavor)
  assert.deepEqual(scan(chunksOf(content), flavor), whole)
  const { signal } = new AbortController()
  const start = { offset: 0, checksum: false }
  await writeFile(path, content)
  const first = await recoverFile(path, flavor, '', start, signal)
  assert.equal(first.keptBytes, whole.boundary)
  assert.equal(first.keptBytes + first.droppedBytes, content.length)
  parseGtidSet(flavor, first.gtidsAfter)
  const before = await attemptAsync(() => readGtidsBefore(path, flavor, realDisk))
  if ('value' in before && before.value !== null) parseGtidSet(flavor, before.value)
  const head = await attemptAsync(() => readFileHead(path, realDisk))
  if ('value' in head && head.value?.gtidsBefore != null) {
    parseGtidSet(head.value.flavor, head.value.gtidsBefore.toString())
  }
  await writeFile(path, content.subarray(0, first.keptBytes))
  const second = await recoverFile(path, flavor, '', start, signal)
  assert.equal(second.droppedBytes, 0)
  assert.equal(second.stoppedBy, null)
  assert.equal(second.gtidsAfter, first.gtidsAfter)
  assert.equal(second.transactions, first.transactions)
}

export const createTarget = async (): Promise<FuzzTarget> => {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-fuzz-'))
  const path = join(folder, 'binlog.000001')
  const files = [
    ...shortFiles(5),
    ...recordedFiles().filter(({ length }) => length <= WHOLE_FILE_BYTES_MAX),
  ]
  return {
    inputBytesMax: 1500,
    seeds: flagged([0, MYSQL, MENDED, MYSQL | MENDED], files),
    tokens: ['\0COMMIT', '\0ROLLBACK'],
    run: (input) => run(input, path),
    close: async () => await rm(folder, { recursive: true, force: true }),
  }
}
