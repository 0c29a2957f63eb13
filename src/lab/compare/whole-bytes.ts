import { open, stat } from 'node:fs/promises'
import type { Flavor } from '../../base/flavor.ts'
import { EventFlag } from '../../binlog/event-type.ts'
import { recoverFile } from '../../binlog/file-recovery.ts'

/** Flags of the format description event that every file begins with: magic 4, then 17 in. */
export const FORMAT_FLAGS_OFFSET = 21

/**
 * How much of a source's closed file a spool has to hold. A MariaDB that was killed within a large
 * transaction leaves it torn at the end, and the mark that the file is in use: it never happened.
 */
export async function wholeBytes(
  path: string,
  flavor: Flavor,
  signal: AbortSignal,
): Promise<number> {
  const { size } = await stat(path)
  // MySQL cuts its own file back when it starts again.
  if (flavor === 'mysql' || !(await isMarkedInUse(path))) return size
  const start = { offset: 0, checksum: false }
  return (await recoverFile(path, flavor, '', start, signal)).keptBytes
}

async function isMarkedInUse(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const flags = Buffer.alloc(1)
    await file.read(flags, 0, 1, FORMAT_FLAGS_OFFSET)
    return (flags.readUInt8(0) & EventFlag.BinlogInUse) !== 0
  } finally {
    await file.close()
  }
}
