import { dirname, join } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { Disk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import { numberOf } from '../binlog/binlog-name.ts'
import { BINLOG_MAGIC } from '../binlog/event-type.ts'
import { readGtidsBefore } from '../binlog/file-head.ts'
import { type RecoveredFile, recoverFile } from '../binlog/file-recovery.ts'
import { type GtidSet, parseGtidSet } from '../binlog/gtid-set.ts'
import { RecentSets } from './recent-sets.ts'
import {
  type EpochRecord,
  epochFolder,
  type FileFigures,
  type FileIndexRecord,
  fileOfRecord,
  indexPath,
  SpoolFile,
} from './spool-file.ts'
import {
  type EpochPlace,
  type IndexPlace,
  listRecorded,
  readEpochs,
  readIndex,
  type SpoolPlace,
} from './spool-records.ts'

export interface CatalogState {
  /** Oldest first; the newest is the one that is written to. */
  readonly epochs: readonly EpochRecord[]
  readonly files: readonly SpoolFile[]
  /** Held up to the end of the last file. */
  readonly gtids: GtidSet | null
  /** Whether events behind the last file's end carry a CRC32. */
  readonly checksum: boolean
  readonly droppedBytes: number
  /** Ordinals of those that have an index record. */
  readonly recorded: ReadonlySet<number>
  /** Closed files that have none, with what it would say. */
  readonly ends: ReadonlyMap<number, ClosedEnd>
  /** Paths of records of files that were removed, oldest first. */
  readonly leftovers: readonly string[]
}

/** What an index record says of the GTIDs and checksums behind the file's end. */
export interface FileEnd {
  readonly gtidsAfter: string
  readonly checksum: boolean
}

export interface ClosedEnd extends FileEnd {
  readonly file: SpoolFile
}

/**
 * Reads a spool directory and makes it whole again: every closed file is trusted by its index
 * record, the newest one is scanned from its last checkpoint and cut back to its last transaction.
 */
export async function loadCatalog(spool: SpoolPlace, signal: AbortSignal): Promise<CatalogState> {
  const files: SpoolFile[] = []
  let gtids: GtidSet | null = null
  let checksum = false
  let droppedBytes = 0
  const ends = new Map<number, ClosedEnd>()
  const recorded = new Set<number>()
  const sets = new RecentSets()
  const epochs = await readEpochs(spool)
  const removed = await readRemoved(spool, epochs, sets)
  const newestRemoved = removed.findLast(({ record }) => record !== null)
  for (const { record: newest, names } of epochs) {
    const { flavor } = newest.source
    // What an epoch stands on is held, and a new lineage takes the old one's place, with a byte.
    const stood = (newest.breaksLineage ? null : gtids?.clone()) ?? parseGtidSet(flavor, '')
    stood.addSet(parseGtidSet(flavor, newest.gtidsBefore))
    let before: GtidSet = stood
    if (newestRemoved?.record && newestRemoved.epoch === newest.epoch) {
      before.addSet(parseGtidSet(flavor, newestRemoved.record.gtidsAfter))
      gtids = before
    }
    for (const name of names) {
      const previous = files.at(-1)
      const ordinalMin = (previous?.ordinal ?? newestRemoved?.record?.ordinal ?? 0) + 1
      const isLast = name === names.at(-1)
      const around = { previous, ordinalMin, gtidsBefore: before, isLast, sets }
      const loaded = await loadFile({ spool, epoch: newest, name, ...around }, signal)
      if (loaded === null) continue
      files.push(loaded.file)
      before = sets.parse(flavor, loaded.gtidsAfter)
      gtids = before
      checksum = loaded.checksum
      droppedBytes += loaded.droppedBytes
      if (loaded.isRecorded) recorded.add(loaded.file.ordinal)
      else ends.set(loaded.file.ordinal, loaded)
    }
  }
  const newest = files.at(-1)
  // Nothing is held where no file is left.
  if (newest === undefined) gtids = null
  // This one may still grow.
  else ends.delete(newest.ordinal)
  return {
    epochs: epochs.map(({ record }) => record),
    files,
    gtids: gtids?.clone() ?? null,
    checksum,
    droppedBytes,
    recorded,
    ends,
    leftovers: removed.map(({ path }) => path),
  }
}

interface RemovedFile {
  readonly epoch: number
  /** Of its index record. */
  readonly path: string
  /** Null when it cannot be used. */
  readonly record: FileIndexRecord | null
}

/**
 * The records of files in front of the oldest one that is left, oldest first: retention removed
 * these, and where the oldest one has no record of its own, theirs say what it stands on.
 */
async function readRemoved(
  spool: SpoolPlace,
  epochs: readonly EpochPlace[],
  sets: RecentSets,
): Promise<RemovedFile[]> {
  const removed: RemovedFile[] = []
  // Without a file they describe what a person took away, and will be written anew.
  if (epochs.every(({ names }) => names.length === 0)) return []
  for (const { record: epoch, names } of epochs) {
    const [oldest] = names
    const recorded = (await listRecorded(spool, epoch.epoch)).filter((name) => {
      return oldest === undefined || numberOf(name) < numberOf(oldest)
    })
    for (const name of recorded) {
      const path = indexPath(spool.directory, epoch.epoch, name)
      const record = await readIndex({ spool, epoch, name, sets })
      removed.push({ epoch: epoch.epoch, path, record })
    }
    if (oldest !== undefined) break
  }
  return removed
}

interface LoadedFile {
  readonly file: SpoolFile
  readonly gtidsAfter: string
  readonly checksum: boolean
  readonly droppedBytes: number
  readonly isRecorded: boolean
}

/** A file in the chain of files: what is before it is loaded already. */
interface FilePlace extends IndexPlace {
  readonly previous: SpoolFile | undefined
  /** Behind `previous`, or behind what was removed in front of the oldest file. */
  readonly ordinalMin: number
  readonly gtidsBefore: GtidSet
  /** Only the last file of an epoch may end anywhere: it was being written. */
  readonly isLast: boolean
}

async function loadFile(place: FilePlace, signal: AbortSignal): Promise<LoadedFile | null> {
  const { spool, epoch, name, isLast } = place
  const { directory, disk } = spool
  const { flavor } = epoch.source
  const path = join(epochFolder(directory, epoch.epoch), name)
  const record = await readIndex(place)
  const size = (await disk.stat(path)).size
  const ordinal = Math.max(record?.ordinal ?? 0, place.ordinalMin)
  if (record?.closed && record.bytes <= size) refuseHole(place, path, record)
  // One that was taken up again behind a newer file that was dropped has more than its record.
  if (record?.closed && (isLast ? record.bytes === size : record.bytes <= size)) {
    return { ...fromRecord(record, epoch, path, ordinal), droppedBytes: 0, isRecorded: true }
  }
  if (record?.closed && !isLast) throw damaged(path, `it has ${size} bytes, not ${record.bytes}`)
  const trusted = record !== null && record.bytes <= size && record.bytes > 0 ? record : null
  const before = record?.gtidsBefore ?? (await ownGtidsBefore(place, path))
  const start = { offset: trusted?.bytes ?? 0, checksum: trusted?.checksum ?? false }
  const found = await recoverFile(path, flavor, trusted?.gtidsAfter ?? before, start, signal, disk)
  if (!isLast && (found.stoppedBy !== null || found.keptBytes <= BINLOG_MAGIC.length)) {
    throw damaged(path, `${found.stoppedBy ?? 'no event'} at ${found.keptBytes}`)
  }
  if (found.keptBytes <= BINLOG_MAGIC.length) {
    await discardFile(place, path)
    return null
  }
  if (found.droppedBytes > 0) await disk.truncate(path, found.keptBytes)
  await makeDurable(path, disk)
  const recovered = { ordinal, epoch: epoch.epoch, name, path }
  return {
    file: new SpoolFile({ ...recovered, ...mergedFigures(found, trusted) }, before),
    gtidsAfter: found.gtidsAfter,
    checksum: found.checksum,
    droppedBytes: found.droppedBytes,
    isRecorded: record !== null,
  }
}

/**
 * A process that was killed leaves bytes and a name that only the page cache has. What is found
 * is served and counts as acknowledged, so first it must not be able to vanish.
 */
async function makeDurable(path: string, disk: Disk): Promise<void> {
  const file = await disk.open(path, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
  await disk.syncDirectory(dirname(path))
}

/** The oldest file may stand on more than its epoch began with: retention removed the rest. */
async function ownGtidsBefore(place: FilePlace, path: string): Promise<string> {
  const { spool, epoch, gtidsBefore, previous } = place
  if (previous !== undefined) return gtidsBefore.toString()
  const before = gtidsBefore.clone()
  const text = await readGtidsBefore(path, epoch.source.flavor, spool.disk)
  if (text !== null) before.addSet(parseGtidSet(epoch.source.flavor, text))
  return before.toString()
}

/** A file that was taken away by hand leaves its transactions missing. */
function refuseHole(place: FilePlace, path: string, record: FileIndexRecord): void {
  const { epoch, previous, gtidsBefore, sets } = place
  const recorded = sets.parse(epoch.source.flavor, record.gtidsBefore)
  if (previous?.epoch !== epoch.epoch || recorded === gtidsBefore) return
  const missing = recorded.missingFrom(gtidsBefore)
  if (missing !== '') throw damaged(path, `the files before it lack ${missing.slice(0, 300)}`)
}

function damaged(path: string, what: string): LandbridgeError {
  return new LandbridgeError('ERR_SPOOL_FILE', `${path} does not fit its place: ${what}`, {
    remedy:
      'Put the file back from the source or from a copy; or move the spool directory away' +
      ' and reseed the replica.',
    details: { path },
  })
}

function mergedFigures(found: RecoveredFile, checkpoint: FileIndexRecord | null): FileFigures {
  const scannedNothing = checkpoint !== null && found.keptBytes === checkpoint.bytes
  return {
    bytes: found.keptBytes,
    complete: scannedNothing ? checkpoint.complete : found.complete,
    transactions: found.transactions + (checkpoint?.transactions ?? 0),
    firstTimestamp: checkpoint?.firstTimestamp ?? found.firstTimestamp,
    lastTimestamp: found.lastTimestamp || (checkpoint?.lastTimestamp ?? 0),
  }
}

function fromRecord(
  record: FileIndexRecord,
  epoch: EpochRecord,
  path: string,
  ordinal: number,
): Omit<LoadedFile, 'droppedBytes' | 'isRecorded'> {
  return {
    file: fileOfRecord(record, epoch.epoch, path, ordinal),
    gtidsAfter: record.gtidsAfter,
    checksum: record.checksum,
  }
}

async function discardFile({ spool, epoch, name }: FilePlace, path: string): Promise<void> {
  const { directory, disk } = spool
  await disk.unlink(path)
  await disk.unlink(indexPath(directory, epoch.epoch, name)).catch(ignoreMissing)
  await disk.syncDirectory(dirname(path))
}
