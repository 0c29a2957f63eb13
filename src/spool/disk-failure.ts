import { basename } from 'node:path'
import { deniedPathOf, deniedRemedy } from '../base/denied.ts'
import type { Disk, DiskRoom } from '../base/disk.ts'
import { codeOf, describeError, LandbridgeError } from '../base/errors.ts'
import { unusableName } from '../binlog/binlog-name.ts'
import type { SpoolPlace } from './spool-records.ts'

/** What one write may want at once: with less the next one could be refused again. */
const ROOM_BYTES = 4 * 1024 * 1024

/**
 * What a failed call of the disk means for the spool. A failure of the program (an error without
 * a code) is none of the disk's: it is thrown on.
 */
export async function diskFailure(place: SpoolPlace, cause: unknown): Promise<LandbridgeError> {
  if (cause instanceof LandbridgeError) return cause
  if (codeOf(cause) === 'ERR_UNEXPECTED') throw cause
  if (isDiskFull(cause)) return await diskFull(place, cause)
  if (isNameTooLong(cause)) return unusableName(basename(cause.path), cause)
  return failedCall('ERR_SPOOL_WRITE', `cannot write to the spool ${place.directory}`, cause)
}

/** The same for the call that makes bytes durable. */
export async function syncFailure(
  place: SpoolPlace,
  path: string,
  cause: unknown,
): Promise<LandbridgeError> {
  if (cause instanceof LandbridgeError) return cause
  // A disk that promises room and then has none says so here.
  if (isDiskFull(cause)) return await diskFull(place, cause)
  return failedCall('ERR_SPOOL_SYNC', `cannot sync ${path}`, cause)
}

/** An error with the system's reason in its message, and what a person does about that reason. */
export function failedCall(
  code: 'ERR_SPOOL_WRITE' | 'ERR_SPOOL_SYNC' | 'ERR_SPOOL_OPEN',
  what: string,
  cause: unknown,
): LandbridgeError {
  const { reason, remedy } = REASONS[codeOf(cause)] ?? {
    reason: describeError(cause),
    remedy: "What was not stored is fetched again. If this repeats, look at the kernel's log.",
  }
  const path = deniedPathOf(cause)
  const whose = path === null ? '' : ` Now: ${deniedRemedy(path, 'write')}`
  return new LandbridgeError(code, `${what}: ${reason}`, {
    cause,
    retryable: true,
    remedy: `${remedy}${whose}`,
  })
}

interface Reason {
  readonly reason: string
  readonly remedy: string
}

const GONE: Reason = {
  reason: 'the folder or file is not there',
  remedy: 'See whether its disk is mounted (findmnt), or somebody moved it; put it back.',
}
const FOREIGN: Reason = {
  reason: 'this user may not',
  remedy: 'Give the folder and all in it to the user that the gateway runs as (chown -R).',
}
const REASONS: Readonly<Record<string, Reason>> = {
  EMFILE: {
    reason: 'this process has no file descriptor left',
    remedy: 'Raise its limit (LimitNOFILE= in the unit, ulimit -n), then restart the gateway.',
  },
  ENFILE: {
    reason: 'the system has no file descriptor left',
    remedy: 'Find who has so many files open (lsof), or raise fs.file-max with sysctl.',
  },
  EROFS: {
    reason: 'the file system is read-only',
    remedy:
      "The kernel's log (dmesg) says why: mostly it met an error of the disk. " +
      'Check the file system, and mount it for writing.',
  },
  EIO: {
    reason: 'the disk failed',
    remedy:
      "The kernel's log (dmesg) names the disk; replace it if this repeats. " +
      'What was not stored is fetched again.',
  },
  ENOENT: GONE,
  ENOTDIR: GONE,
  ENODEV: GONE,
  EACCES: FOREIGN,
  EPERM: FOREIGN,
}

/** The file system does not take a name that it was asked to make. */
export function isNameTooLong(cause: unknown): cause is Error & { readonly path: string } {
  if (codeOf(cause) !== 'ENAMETOOLONG' || !(cause instanceof Error)) return false
  return 'path' in cause && typeof cause.path === 'string'
}

/** The system's word that a disk, or what this user may have of it, is used up. */
export function isDiskFull(cause: unknown): boolean {
  return codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT'
}

/** Says what there is none of: bytes, inodes, or this user's share. */
export async function diskFull(
  { directory, disk }: SpoolPlace,
  cause: unknown,
): Promise<LandbridgeError> {
  const onwards = 'The stream goes on by itself and loses nothing.'
  const full = (lack: string, remedy: string): LandbridgeError => {
    const message = `${lack} in ${directory}: nothing is acknowledged`
    return new LandbridgeError('ERR_DISK_FULL', message, {
      cause,
      retryable: true,
      remedy: `${remedy} ${onwards}`,
    })
  }
  if (codeOf(cause) === 'EDQUOT') {
    return full(
      'the quota of this user is used up',
      "Raise the quota (edquota, or the project's), or remove other files of this user.",
    )
  }
  // A file system that cannot be asked is said to have no room, as it said itself.
  const room = await disk.room(directory).catch(() => null)
  if (room?.inodes === 0) {
    return full(
      'no inode is free',
      `There are ${room.bytes} bytes free, but no place for one more file (df -i): ` +
        'remove files that nobody needs, or make a file system with more inodes.',
    )
  }
  return full('no room', 'Free space or enlarge the disk.')
}

export async function hasRoom(directory: string, disk: Disk): Promise<boolean> {
  return isEnough(await disk.room(directory))
}

function isEnough({ bytes, inodes }: Pick<DiskRoom, 'bytes' | 'inodes'>): boolean {
  return bytes >= ROOM_BYTES && inodes !== 0
}
