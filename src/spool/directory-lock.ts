import { readFile } from 'node:fs/promises'
import { ignoreMissing } from '../base/atomic-file.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'

/**
 * Keeps a second gateway from writing the same spool. The lock names its owner by process id and
 * start time, so that a lock left by a killed process, or one whose id was reused, is free. It is
 * a symbolic link to that text: made in one step with its content, and without a byte of room, so
 * that a gateway which starts on a full disk still serves what is stored.
 */
export async function acquireDirectoryLock(
  path: string,
  disk: Disk = realDisk,
): Promise<() => Promise<void>> {
  const own = `${process.pid} ${await startTimeOf(process.pid)}`
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await isMade(disk, own, path)) {
      return async () => {
        await disk.unlink(path).catch(ignoreMissing)
      }
    }
    await removeStale(disk, path)
  }
  throw new LandbridgeError('ERR_SPOOL_LOCKED', `${path} keeps being taken by others`, {
    retryable: true,
  })
}

/** False when there is a lock already. */
async function isMade(disk: Disk, owner: string, path: string): Promise<boolean> {
  try {
    await disk.symlink(owner, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function removeStale(disk: Disk, path: string): Promise<void> {
  const text = await readOwner(disk, path)
  if (text === null) return
  await refuseLiveOwner(path, text)
  // Moved before it is removed: of two that found the same stale lock, one could otherwise
  // remove the lock that the other has just taken.
  const moved = `${path}.${process.pid}.old`
  await disk.rename(path, moved).catch(ignoreMissing)
  const taken = await readOwner(disk, moved)
  if (taken !== null && taken !== text) await isMade(disk, taken.trim(), path)
  await disk.unlink(moved).catch(ignoreMissing)
}

async function readOwner(disk: Disk, path: string): Promise<string | null> {
  try {
    return await disk.readlink(path)
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') {
      ignoreMissing(error)
      return null
    }
  }
  // Gateways used to keep the same text in a file.
  return await disk.readText(path).catch((error: unknown) => {
    ignoreMissing(error)
    return null
  })
}

async function refuseLiveOwner(path: string, text: string): Promise<void> {
  const [pid = '', startTime = ''] = text.trim().split(' ')
  if (!/^\d+$/.test(pid) || (await startTimeOf(Number(pid))) !== startTime) return
  throw new LandbridgeError('ERR_SPOOL_LOCKED', `process ${pid} already writes this spool`, {
    remedy: `Stop process ${pid}, or give this gateway a spool directory of its own.`,
    retryable: true,
    details: { path, pid: Number(pid) },
  })
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; empty when there is no such process. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return ''
    ignoreMissing(error)
    return ''
  })
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
