import { relative, sep } from 'node:path'
import { createFolder } from '../base/atomic-file.ts'
import { realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import { type FolderLock, lockFolder } from '../base/folder-lock.ts'
import type { Log } from '../base/log.ts'
import { makePrivate, PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'
import type { GatewayConfig } from '../config/config.ts'
import { isEpochFolder } from '../spool/spool-file.ts'

/**
 * One process at a time works with a data directory: a gateway, or `landbridge tunnel up | down`.
 * What lies in it (the note of the running wireguard-go, above all) is taken for one's own.
 * Throws ERR_GATEWAY_RUNNING, ERR_FOLDER_LOCK.
 */
export async function holdDataDirectory(path: string): Promise<FolderLock> {
  await createFolder(path, PRIVATE_FOLDER_MODE, realDisk)
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

/**
 * What of the data directory, and of spools elsewhere, group or others could read. A spool's disk
 * that is not mounted yet is left to the next start.
 */
export async function makeFoldersPrivate(
  { dataDir, streams }: Pick<GatewayConfig, 'dataDir' | 'streams'>,
  log: Log,
): Promise<void> {
  const spools = streams.flatMap(({ spool }) => (spool === null ? [] : [spool.directory]))
  const ours = new Set(spools.map((path) => relative(dataDir, path).split(sep)[0]))
  await makePrivate(dataDir, { isOurs: (name) => ours.has(name), log })
  for (const path of spools) await makePrivate(path, { isOurs: isEpochFolder, log })
}
