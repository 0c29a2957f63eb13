import { createFolder } from '../base/atomic-file.ts'
import { realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import { type FolderLock, lockFolder } from '../base/folder-lock.ts'

/**
 * One process at a time works with a data directory: a gateway, or `landbridge tunnel up | down`.
 * What lies in it (the note of the running wireguard-go, above all) is taken for one's own.
 * Throws ERR_GATEWAY_RUNNING, ERR_FOLDER_LOCK.
 */
export async function holdDataDirectory(path: string): Promise<FolderLock> {
  await createFolder(path, 0o750, realDisk)
  const lock = await lockFolder(path)
  if (lock !== null) return lock
  throw new LandbridgeError(
    'ERR_GATEWAY_RUNNING',
    `another gateway, or \`landbridge tunnel up\`, works with the data directory ${path}`,
    {
      remedy:
        `Stop that one first, which may run in a container (fuser -v ${path} shows processes of` +
        ' this machine), or give this one a `dataDir`, an interface and a spool of its own.',
      details: { path },
    },
  )
}
