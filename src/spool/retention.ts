import type { SpoolFile } from './spool-file.ts'

export interface RetentionPolicy {
  /** Files whose last event is older may go; null: no limit. */
  readonly ageMsMax: number | null
  /** Oldest files go until the rest is this small; null: no limit. */
  readonly bytesMax: number | null
  /** True: `bytesMax` wins over what an attached replica still needs. */
  readonly hardLimit: boolean
  /** For how long files are kept for a replica that does not connect. Default: for ever. */
  readonly replicaAgeMsMax?: number
}

/**
 * Which files may be removed, oldest first. The newest file always stays; a file that an attached
 * replica still needs (`neededFrom`, an ordinal) stays unless the size limit is a hard one.
 */
export function filesToRemove(
  files: readonly SpoolFile[],
  policy: RetentionPolicy,
  neededFrom: number,
  nowMs: number,
): SpoolFile[] {
  let total = files.reduce((sum, file) => sum + file.bytes, 0)
  const removed: SpoolFile[] = []
  for (const file of files.slice(0, -1)) {
    const tooLarge = policy.bytesMax !== null && total > policy.bytesMax
    const tooOld =
      policy.ageMsMax !== null &&
      file.lastTimestamp > 0 &&
      nowMs - file.lastTimestamp * 1000 > policy.ageMsMax
    if (!tooLarge && !tooOld) break
    const needed = file.ordinal >= neededFrom
    if (needed && !(tooLarge && policy.hardLimit)) break
    removed.push(file)
    total -= file.bytes
  }
  return removed
}
