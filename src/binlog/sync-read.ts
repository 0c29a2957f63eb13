import { codeOf, describeError, LandbridgeError } from '../base/errors.ts'

/** A file system that can only be read has nothing that could be lost. */
const CANNOT_SYNC = ['EINVAL', 'EROFS']

/**
 * Makes durable what was read at `path`, for whoever wrote it need not have: it may be only in the
 * page cache. Throws ERR_BINLOG_SYNC, and then no later sync may vouch for it: the kernel may have
 * dropped what it could not write.
 */
export async function syncRead(path: string, sync: () => Promise<void>): Promise<void> {
  try {
    await sync()
  } catch (cause) {
    if (CANNOT_SYNC.includes(codeOf(cause))) return
    const what = `${path} cannot be synced, so what was read of it may be lost`
    throw new LandbridgeError('ERR_BINLOG_SYNC', `${what}: ${describeError(cause)}`, {
      cause,
      remedy: "The kernel's log (dmesg) names the disk. Copy the files anew from their server.",
      details: { path },
    })
  }
}
