import { relative, sep } from 'node:path'
import { createFolder } from '../base/atomic-file.ts'
import { realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import { type FolderLock, lockFolder } from '../base/folder-lock.ts'
import type { Log } from '../base/log.ts'
import { makePrivate } from '../base/private-folder.ts'
import { isEpochFolder } from '../spool/spool-file.ts'
import type { GatewayConfig } from './config/gateway-config.ts'

/**
 * One process at a time works with a data directory: a gateway, or `landbridge tunnel up | down`.
 * What lies in it (the note of the running wireguard-go, above all) is taken for one's own.
 * Throws ERR_GATEWAY_RUNNING, ERR_FOLDER_LOCK.
 */
export async function holdDataDirectory(path: string): Promise<FolderLock> {
  await createFolder(path, realDisk)
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

/** Takes from group and others what they could do in the data directory. */
export async function makeDataPrivate(
  { dataDir, streams }: Pick<GatewayConfig, 'dataDir' | 'streams'>,
  log: Log,
): Promise<void> {
  const spools = streams.flatMap(({ spool }) => (spool === null ? [] : [spool.directory]))
  const ours = new Set(spools.map((path) => relative(dataDir, path).split(sep)[0]))
  await makePrivate(dataDir, { isOurs: (name) => ours.has(name), except: spools, log })
}

/**
 * The same of a spool that was found. Before, its folder may be where a disk is not mounted yet:
 * nothing is changed there.
 */
export async function makeSpoolPrivate(directory: string, log: Log): Promise<void> {
  await makePrivate(directory, { isOurs: isEpochFolder, log })
}
