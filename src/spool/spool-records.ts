import { dirname, join } from 'node:path'
import type { z } from 'zod'
import { createFolder, ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import type { Disk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { isBinlogName, numberOf } from '../binlog/binlog-name.ts'
import { RecentSets } from './recent-sets.ts'
import {
  type EpochRecord,
  epochFolder,
  epochRecord,
  type FileIndexRecord,
  fileIndexRecord,
  indexPath,
  recordName,
  type SpoolFile,
} from './spool-file.ts'
import { refuseMixedFlavors } from './spool-flavor.ts'

/** A spool directory and the disk that it is on. */
export interface SpoolPlace {
  readonly directory: string
  readonly disk: Disk
}

export async function listEpochs({ directory, disk }: SpoolPlace): Promise<number[]> {
  const names = await disk.readdir(directory)
  return names
    .filter((name) => /^\d{6}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
}

/** An epoch that is on the disk. */
export interface EpochPlace {
  readonly record: EpochRecord
  /** Of its binlog files, in their order. */
  readonly names: readonly string[]
}

/** Names of the binlog files that have an index record, in their order. */
export async function listRecorded(
  { directory, disk }: SpoolPlace,
  epoch: number,
): Promise<string[]> {
  const folder = dirname(indexPath(directory, epoch, ''))
  const names = (await disk.readdir(folder).catch(ignoreMissing)) ?? []
  return inOrder(names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : [])))
}

/** All of them before any file is touched: what is refused here must stay as it is. */
export async function readEpochs(spool: SpoolPlace): Promise<EpochPlace[]> {
  const places: EpochPlace[] = []
  for (const epoch of await listEpochs(spool)) {
    const names = await listFiles(spool, epoch)
    const record = await readEpoch(spool, epoch, names)
    if (record !== null) places.push({ record, names })
  }
  refuseMixedFlavors(
    spool.directory,
    places.map(({ record }) => record),
  )
  return places
}

/** Null for a folder that was made and got neither record nor file before a crash. */
async function readEpoch(
  { directory, disk }: SpoolPlace,
  epoch: number,
  files: readonly string[],
): Promise<EpochRecord | null> {
  const path = join(epochFolder(directory, epoch), 'epoch.json')
  const record = await readJson(disk, path, epochRecord)
  if (record?.epoch === epoch && isGtidText(record.source.flavor, record.gtidsBefore)) return record
  const isBegun = files.length > 0 || (await disk.readdir(dirname(path))).includes('epoch.json')
  if (!isBegun) return null
  throw new LandbridgeError('ERR_SPOOL_FORMAT', `${path} is missing or of another format`, {
    remedy: 'Restore the file from a copy, or move the spool directory away and start afresh.',
  })
}

export async function writeEpoch(spool: SpoolPlace, record: EpochRecord): Promise<void> {
  const { directory, disk } = spool
  const folder = epochFolder(directory, record.epoch)
  await createFolder(join(folder, 'index'), disk)
  await replaceFile(join(folder, 'epoch.json'), `${JSON.stringify(record, null, 2)}\n`, { disk })
}

async function listFiles({ directory, disk }: SpoolPlace, epoch: number): Promise<string[]> {
  return inOrder(await disk.readdir(epochFolder(directory, epoch)))
}

function inOrder(names: readonly string[]): string[] {
  return names.filter(isBinlogName).sort((a, b) => numberOf(a) - numberOf(b))
}

export interface IndexPlace {
  readonly spool: SpoolPlace
  readonly epoch: EpochRecord
  readonly name: string
  readonly sets: RecentSets
}

/** A damaged or missing record is no loss: the file itself is scanned instead. */
export async function readIndex({
  spool,
  epoch,
  name,
  sets,
}: IndexPlace): Promise<FileIndexRecord | null> {
  const { directory, disk } = spool
  const record = await readJson(disk, indexPath(directory, epoch.epoch, name), fileIndexRecord)
  // Of a removed file only the name of its record is known.
  if (record === null || recordName(record.name) !== recordName(name)) return null
  const { flavor } = epoch.source
  const texts = [record.gtidsBefore, record.gtidsAfter]
  const isUsable = texts.every((text) => isGtidText(flavor, text, sets))
  return isUsable ? record : null
}

function isGtidText(flavor: Flavor, text: string, sets = new RecentSets()): boolean {
  try {
    sets.parse(flavor, text)
    return true
  } catch (error) {
    if (error instanceof LandbridgeError) return false
    throw error
  }
}

export async function writeIndex(
  { directory, disk }: SpoolPlace,
  file: SpoolFile,
  gtidsAfter: string,
  checksum: boolean,
  closed: boolean,
): Promise<void> {
  const record: FileIndexRecord = {
    format: 1,
    name: file.name,
    ordinal: file.ordinal,
    bytes: file.bytes,
    complete: file.complete,
    gtidsBefore: file.gtidsBefore,
    gtidsAfter,
    transactions: file.transactions,
    firstTimestamp: file.firstTimestamp,
    lastTimestamp: file.lastTimestamp,
    checksum,
    closed,
  }
  const path = indexPath(directory, file.epoch, file.name)
  await replaceFile(path, `${JSON.stringify(record)}\n`, { disk })
}

/** Null when the file is missing or holds something else. */
export async function readJson<T>(
  disk: Disk,
  path: string,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const text = await disk.readText(path).catch((error: unknown) => {
    ignoreMissing(error)
    return null
  })
  if (text === null) return null
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
