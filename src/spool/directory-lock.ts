import { readFile } from 'node:fs/promises'
import { ignoreMissing, writeWhole } from '../base/atomic-file.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'

/**
 * Keeps a second gateway from writing the same spool. The lock file names its owner by process id
 * and start time, so that a lock left by a killed process, or one whose id was reused, is free.
 * It appears with its content in one step, so that nobody ever reads an empty one.
 */
export async function acquireDirectoryLock(
  path: string,
  disk: Disk = realDisk,
): Promise<() => Promise<void>> {
  const own = `${path}.${process.pid}.tmp`
  try {
    await writeOwner(disk, own)
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await isLinked(disk, own, path)) {
        return async () => {
          await disk.unlink(path).catch(ignoreMissing)
        }
      }
      await removeStale(disk, path)
    }
  } finally {
    await disk.unlink(own).catch(ignoreMissing)
  }
  throw new LandbridgeError('ERR_SPOOL_LOCKED', `${path} keeps being taken by others`, {
    retryable: true,
  })
}

async function writeOwner(disk: Disk, path: string): Promise<void> {
  const owner = `${process.pid} ${await startTimeOf(process.pid)}\n`
  const file = await disk.open(path, 'w', 0o640)
  try {
    await writeWhole(file, Buffer.from(owner))
  } finally {
    await file.close()
  }
}

async function isLinked(disk: Disk, own: string, path: string): Promise<boolean> {
  try {
    await disk.link(own, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
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
  if (taken !== null && taken !== text) await isLinked(disk, moved, path)
  await disk.unlink(moved).catch(ignoreMissing)
}

async function readOwner(disk: Disk, path: string): Promise<string | null> {
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
