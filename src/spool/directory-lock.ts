import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { ignoreMissing } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'

/**
 * Keeps a second gateway from writing the same spool. The lock file names its owner by process id
 * and start time, so that a lock left by a killed process, or one whose id was reused, is free.
 * It appears with its content in one step, so that nobody ever reads an empty one.
 */
export async function acquireDirectoryLock(path: string): Promise<() => Promise<void>> {
  const own = `${path}.${process.pid}.tmp`
  try {
    await writeFile(own, `${process.pid} ${await startTimeOf(process.pid)}\n`)
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await isLinked(own, path)) {
        return async () => {
          await unlink(path).catch(ignoreMissing)
        }
      }
      await removeStale(path)
    }
  } finally {
    await unlink(own).catch(ignoreMissing)
  }
  throw new LandbridgeError('ERR_SPOOL_LOCKED', `${path} keeps being taken by others`, {
    retryable: true,
  })
}

async function isLinked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function removeStale(path: string): Promise<void> {
  const text = await readOwner(path)
  if (text === null) return
  await refuseLiveOwner(path, text)
  // Moved before it is removed: of two that found the same stale lock, one could otherwise
  // remove the lock that the other has just taken.
  const moved = `${path}.${process.pid}.old`
  await rename(path, moved).catch(ignoreMissing)
  const taken = await readOwner(moved)
  if (taken !== null && taken !== text) await isLinked(moved, path)
  await unlink(moved).catch(ignoreMissing)
}

async function readOwner(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
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
