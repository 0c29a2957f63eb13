import { codeOf, LandbridgeError } from '../base/errors.ts'

/**
 * What a failed call of the disk means for the spool. A failure of the program (an error without
 * a code) is none of the disk's: it is thrown on.
 */
export function diskFailure(directory: string, cause: unknown): LandbridgeError {
  if (cause instanceof LandbridgeError) return cause
  const code = codeOf(cause)
  if (code === 'ERR_UNEXPECTED') throw cause
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(directory, cause)
  return new LandbridgeError('ERR_SPOOL_WRITE', 'cannot write to the spool', {
    cause,
    retryable: true,
  })
}

function diskFull(directory: string, cause: unknown): LandbridgeError {
  return new LandbridgeError('ERR_DISK_FULL', `no room in ${directory}: nothing is acknowledged`, {
    cause,
    retryable: true,
    remedy: 'Free space or enlarge the disk; the stream goes on by itself and loses nothing.',
  })
}
