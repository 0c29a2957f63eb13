import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replaces a small file so that after a crash either the old or the new content is there, whole:
 * temporary file, fsync, rename, fsync of the folder.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  let file: FileHandle | undefined
  try {
    file = await open(temporary, 'w', options.mode ?? 0o640)
    await file.writeFile(content)
    await file.sync()
    await file.close()
    file = undefined
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    await file?.close()
    await unlink(temporary).catch(ignoreMissing)
    throw error
  }
}

/** Makes created, renamed and removed names in `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}
