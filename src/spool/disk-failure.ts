import type { Disk } from '../base/disk.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'

/** What one write may want at once: with less the next one could be refused again. */
const ROOM_BYTES = 4 * 1024 * 1024

/**
 * What a failed call of the disk means for the spool. A failure of the program (an error without
 * a code) is none of the disk's: it is thrown on.
 */
export function diskFailure(directory: string, cause: unknown): LandbridgeError {
  if (cause instanceof LandbridgeError) return cause
  if (codeOf(cause) === 'ERR_UNEXPECTED') throw cause
  if (isDiskFull(cause)) return diskFull(directory, cause)
  return new LandbridgeError('ERR_SPOOL_WRITE', 'cannot write to the spool', {
    cause,
    retryable: true,
  })
}

/** The system's word that a disk, or what this user may have of it, is used up. */
export function isDiskFull(cause: unknown): boolean {
  return codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT'
}

export function diskFull(directory: string, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_DISK_FULL', `no room in ${directory}: nothing is acknowledged`, {
    cause,
    retryable: true,
    remedy: 'Free space or enlarge the disk; the stream goes on by itself and loses nothing.',
  })
}

export async function hasRoom(directory: string, disk: Disk): Promise<boolean> {
  return (await disk.freeBytes(directory)) >= ROOM_BYTES
}
