import { dirname } from 'node:path'
import { type Disk, type DiskFile, realDisk } from './disk.ts'
import { PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE } from './private-folder.ts'

/**
 * Replaces a small file so that after a crash either the old or the new content is there, whole:
 * temporary file, sync, rename, sync of the folder.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number; readonly disk?: Disk } = {},
): Promise<void> {
  const { mode = PRIVATE_FILE_MODE, disk = realDisk } = options
  const temporary = `${path}.${process.pid}.tmp`
  let file: DiskFile | undefined
  try {
    file = await disk.open(temporary, 'w', mode)
    await writeWhole(file, Buffer.from(content), 0)
    await file.sync()
    await file.close()
    file = undefined
    await disk.rename(temporary, path)
    await disk.syncDirectory(dirname(path))
  } catch (error) {
    await file?.close()
    await disk.unlink(temporary).catch(ignoreMissing)
    throw error
  }
}

/** Writes `bytes` at `offset`, also when the system takes only a part at a time. */
export async function writeWhole(file: DiskFile, bytes: Buffer, offset: number): Promise<void> {
  let at = 0
  while (at < bytes.length)
    at += (await file.writev([bytes.subarray(at)], offset + at)).bytesWritten
}

/**
 * Makes `path` a folder of its owner's alone with a durable name, and the missing ones above it.
 * One after the other: a process that was killed leaves at most the last one unsynced, and that is
 * made up for here.
 */
export async function createFolder(path: string, disk: Disk): Promise<void> {
  const parent = dirname(path)
  if (!(await isThere(path, disk))) {
    await createFolder(parent, disk)
    await disk.mkdir(path, PRIVATE_FOLDER_MODE)
  }
  await disk.syncDirectory(parent).catch(ignoreForeign)
}

async function isThere(path: string, disk: Disk): Promise<boolean> {
  try {
    await disk.stat(path)
    return true
  } catch (error) {
    ignoreMissing(error)
    return false
  }
}

/** Makes created, renamed and removed names in `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  await realDisk.syncDirectory(path)
}

/** A folder that this user may not even read: somebody else made the names in it. */
function ignoreForeign(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error
}

export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}
