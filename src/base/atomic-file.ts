import { dirname } from 'node:path'
import { type Disk, type DiskFile, realDisk } from './disk.ts'

/**
 * Replaces a small file so that after a crash either the old or the new content is there, whole:
 * temporary file, sync, rename, sync of the folder.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number; readonly disk?: Disk } = {},
): Promise<void> {
  const { mode = 0o640, disk = realDisk } = options
  const temporary = `${path}.${process.pid}.tmp`
  let file: DiskFile | undefined
  try {
    file = await disk.open(temporary, 'w', mode)
    await writeWhole(file, Buffer.from(content))
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

/** Writes `bytes` into a new file, also when the system takes only a part at a time. */
export async function writeWhole(file: DiskFile, bytes: Buffer): Promise<void> {
  let at = 0
  while (at < bytes.length) at += (await file.writev([bytes.subarray(at)], at)).bytesWritten
}

/** Makes created, renamed and removed names in `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  await realDisk.syncDirectory(path)
}

export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}
