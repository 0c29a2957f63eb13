import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowDataPacket } from 'mysql2/promise'
import { codeOf } from '../../base/errors.ts'
import type { Flavor } from '../../base/flavor.ts'
import { EventFlag } from '../../binlog/event-type.ts'
import { connectSql } from '../servers/sql-connection.ts'
import { epochBeginning } from './spool-files.ts'
import { FORMAT_FLAGS_OFFSET, wholeBytes } from './whole-bytes.ts'

export interface CompareSpoolOptions {
  readonly flavor: Flavor
  readonly sourceSocket: string
  readonly sourceBinlogDirectory: string
  /** Folder with the binlog files of the epoch at hand. */
  readonly spoolFiles: () => Promise<string | null>
  /** How long the spool may take to catch up with the source. */
  readonly waitSeconds: number
  readonly signal: AbortSignal
  /** False: also the oldest of the source's files must be held. True: see `SpoolReport.older`. */
  readonly allowsOlder?: boolean
  /** Between catching up and comparing; a test breaks something here. */
  readonly beforeCompare?: (spoolFiles: string, names: readonly string[]) => Promise<void>
}

export interface SpoolReport {
  readonly identical: boolean
  readonly files: number
  /** Compared and found the same. */
  readonly bytes: number
  /** What the source's closed files hold in all. */
  readonly sourceBytes: number
  readonly failures: readonly string[]
  /** The source's files in front of the oldest one held: not compared. */
  readonly older: readonly string[]
  /** Why they are not there; null when there are none. */
  readonly olderReason: string | null
}

interface BinlogFile {
  readonly name: string
  readonly bytes: number
}

/**
 * `spool identical to source`: closes the source's current binlog file, waits until the spool holds
 * as many bytes of every closed file, and compares them byte for byte.
 */
export async function compareSpool(options: CompareSpoolOptions): Promise<SpoolReport> {
  const closed = await closeBinlogs(options)
  const late = await waitForSpool(options, closed)
  const sourceBytes = closed.reduce((sum, file) => sum + file.bytes, 0)
  if (late !== null) {
    const nothing = { files: 0, bytes: 0, older: [], olderReason: null }
    return { identical: false, ...nothing, sourceBytes, failures: [late] }
  }
  const spool = (await options.spoolFiles()) ?? ''
  await options.beforeCompare?.(
    spool,
    closed.map(({ name }) => name),
  )
  const failures: string[] = []
  let bytes = 0
  const older = await olderOf(options, spool, closed)
  const compared = closed.slice(older.length)
  for (const { name, bytes: whole } of compared) {
    options.signal.throwIfAborted()
    const source = join(options.sourceBinlogDirectory, name)
    const result = await compareFiles(source, join(spool, name), whole)
    bytes += result.bytes
    if (result.difference !== null) failures.push(`${name}: ${result.difference}`)
  }
  return {
    identical: failures.length === 0 && compared.length > 0,
    files: compared.length,
    bytes,
    sourceBytes,
    failures,
    older,
    olderReason: older.length === 0 ? null : await reasonOfOlder(spool),
  }
}

/**
 * All files the source has, except the new one that it writes to from now on; each as far as it is
 * whole.
 */
async function closeBinlogs(options: CompareSpoolOptions): Promise<BinlogFile[]> {
  const { sourceSocket: socket, sourceBinlogDirectory, flavor, signal } = options
  const connection = await connectSql({ socket })
  try {
    await connection.query('FLUSH BINARY LOGS')
    const [rows] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS')
    const files: BinlogFile[] = []
    for (const { Log_name: name } of rows.slice(0, -1)) {
      const bytes = await wholeBytes(join(sourceBinlogDirectory, name), flavor, signal)
      files.push({ name, bytes })
    }
    return files
  } finally {
    await connection.end()
  }
}

async function waitForSpool(
  options: CompareSpoolOptions,
  closed: readonly BinlogFile[],
): Promise<string | null> {
  const deadlineMs = performance.now() + options.waitSeconds * 1_000
  for (;;) {
    options.signal.throwIfAborted()
    const missing = await firstMissing(options, closed)
    if (missing === null) return null
    if (performance.now() > deadlineMs) {
      return `the spool has not caught up within ${options.waitSeconds} s: ${missing}`
    }
    await sleep(100, undefined, { signal: options.signal })
  }
}

/** The last file first: while the spool is behind, that is the one that is missing. */
async function firstMissing(
  options: CompareSpoolOptions,
  closed: readonly BinlogFile[],
): Promise<string | null> {
  const spool = await options.spoolFiles()
  if (spool === null) return 'there is no spool yet'
  const older = await olderOf(options, spool, closed)
  for (const { name, bytes } of closed.slice(older.length).toReversed()) {
    const held = await sizeOf(join(spool, name))
    if (held < bytes) return `${name} has ${held} of ${bytes} bytes`
  }
  return null
}

/** Those before the first file that is held; none while nothing is: it is still to come. */
async function olderOf(
  { allowsOlder = false }: CompareSpoolOptions,
  spool: string,
  closed: readonly BinlogFile[],
): Promise<string[]> {
  if (!allowsOlder) return []
  const older: string[] = []
  for (const { name } of closed) {
    if ((await sizeOf(join(spool, name))) > 0) return older
    older.push(name)
  }
  return []
}

/** The first epoch, and one after a reset, begins with the source's oldest file. */
async function reasonOfOlder(spool: string): Promise<string> {
  const begin = await epochBeginning(spool)
  return begin === 'oldest file'
    ? 'removed from the spool by its retention'
    : 'from before the newest epoch, or removed from the spool by its retention'
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0
    throw error
  }
}

export interface FileComparison {
  readonly bytes: number
  /** Null: identical. */
  readonly difference: string | null
}

const STEP_BYTES = 1024 * 1024

/**
 * Reads both in step; memory does not depend on the size of the files. `wholeOfSource`: how much
 * of the source's file is whole; default: all of it.
 */
export async function compareFiles(
  source: string,
  spool: string,
  wholeOfSource?: number,
): Promise<FileComparison> {
  const sourceBytes = wholeOfSource ?? (await sizeOf(source))
  const spoolBytes = await sizeOf(spool)
  const common = Math.min(sourceBytes, spoolBytes)
  let bytes = 0
  if (common > 0) {
    const files = await Promise.all([open(source, 'r'), open(spool, 'r')])
    try {
      const different = await compareStart(files, common)
      if (different !== null) return different
      bytes = common
    } finally {
      await Promise.all(files.map((file) => file.close()))
    }
  }
  const sizes = `source has ${sourceBytes} bytes, spool ${spoolBytes}`
  return { bytes, difference: sourceBytes === spoolBytes ? null : sizes }
}

/** The first difference before `end`, which both files reach. */
async function compareStart(
  [source, spool]: readonly [FileHandle, FileHandle],
  end: number,
): Promise<FileComparison | null> {
  const ours = Buffer.alloc(STEP_BYTES)
  const theirs = Buffer.alloc(STEP_BYTES)
  for (let offset = 0; offset < end; offset += STEP_BYTES) {
    const length = Math.min(STEP_BYTES, end - offset)
    await Promise.all([source.read(ours, 0, length, offset), spool.read(theirs, 0, length, offset)])
    if (offset === 0) clearInUse(ours, theirs)
    const at = firstDifference(ours.subarray(0, length), theirs.subarray(0, length))
    if (at === null) continue
    const found = `source ${hex(ours[at])}, spool ${hex(theirs[at])}`
    return { bytes: offset + at, difference: `differs at offset ${offset + at}: ${found}` }
  }
  return null
}

/**
 * A server marks its open file as in use, and no dump ever shows the mark. A MariaDB that was
 * killed leaves it in the file for good, so it is no difference; the event's CRC32 omits it too.
 */
function clearInUse(...files: readonly Buffer[]): void {
  for (const bytes of files) {
    const flags = bytes[FORMAT_FLAGS_OFFSET] ?? 0
    bytes[FORMAT_FLAGS_OFFSET] = flags & ~EventFlag.BinlogInUse
  }
}

function firstDifference(left: Buffer, right: Buffer): number | null {
  if (left.equals(right)) return null
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) return at
  return null
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, '0')}`
}
