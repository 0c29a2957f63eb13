import { spawn } from 'node:child_process'
import type { Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { codeOf, LandbridgeError } from './errors.ts'

/** A folder that nobody else locks meanwhile, in whatever container or PID namespace they are. */
export interface FolderLock {
  /**
   * False when the path has become another folder: something was mounted over it, unmounted from
   * it, or it was moved away. What is locked then is not what is written.
   */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/** Of `flock`: another open file has the lock. */
const EXIT_CONFLICT = 1
/** As spawn hands it to the program. */
const LOCKED_FD = 3

/**
 * Locks a folder with the kernel's flock(2); null while somebody else has it. The lock belongs to
 * the open file, and the kernel drops it with the last process that has it open: nothing is left by
 * a kill, and neither a byte nor an inode of the disk is needed.
 *
 * Node has no call for it, so `flock` (util-linux) makes the call on our open file and ends.
 * Throws ERR_FOLDER_LOCK where that cannot be done, and ENOENT where there is no folder.
 */
export async function lockFolder(path: string): Promise<FolderLock | null> {
  const handle = await open(path, 'r')
  try {
    if (await isLocked(path, handle)) {
      const locked = await handle.stat()
      return { isHeld: () => isAt(path, locked), release: () => handle.close() }
    }
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return null
}

async function isLocked(path: string, handle: FileHandle): Promise<boolean> {
  const child = spawn('flock', ['-x', '-n', String(LOCKED_FD)], {
    stdio: ['ignore', 'ignore', 'pipe', handle.fd],
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  const [exitCode, said] = await Promise.all([
    ended,
    text(child.stderr as NonNullable<typeof child.stderr>),
  ]).catch((cause: unknown) => {
    throw lockFailed(path, codeOf(cause) === 'ENOENT' ? 'there is no flock' : 'flock fails', cause)
  })
  if (exitCode === 0) return true
  if (exitCode === EXIT_CONFLICT) return false
  throw lockFailed(path, said.trim() || `flock ends with ${exitCode}`)
}

/** A path that cannot be looked at counts as gone. */
async function isAt(path: string, locked: Stats): Promise<boolean> {
  const there = await stat(path).catch(() => null)
  return locked.dev === there?.dev && locked.ino === there.ino
}

function lockFailed(path: string, why: string, cause?: unknown): LandbridgeError {
  return new LandbridgeError('ERR_FOLDER_LOCK', `cannot lock ${path}: ${why}`, {
    retryable: true,
    cause,
    details: { path },
    remedy:
      'Install util-linux, which has flock, and keep this folder on a local file system: ' +
      'a network one may not lock folders.',
  })
}
