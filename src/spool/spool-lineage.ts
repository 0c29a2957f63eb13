import type { EpochRecord, EpochSource, SpoolFile } from './spool-file.ts'

/** An epoch to begin. */
export interface EpochBeginning {
  readonly source: EpochSource
  /** For people. */
  readonly reason: string
  /** What the first transaction to come stands on. */
  readonly gtidsBefore: string
  /** What was held before counts for nothing any more. */
  readonly breaksLineage: boolean
}

/** The source was reset: what it has counts from here on. */
export interface Lineage {
  /** Its first one. */
  readonly epoch: number
  readonly startedAtMs: number
  readonly reason: string
}

/**
 * When the reset came that ended the lineage of each epoch up to `newest`; missing for those of the
 * newest lineage. `records` are in order. One pass: a hostile source may be reset very often.
 */
export function lineageEnds(
  records: readonly EpochRecord[],
  newest: number,
): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  let endMs: number | null = null
  for (const { epoch, breaksLineage, startedAtMs } of records.toReversed()) {
    if (epoch > newest) continue
    if (endMs !== null) ends.set(epoch, endMs)
    if (breaksLineage) endMs = startedAtMs
  }
  return ends
}

/** An epoch that never got a byte is taken again, so that retries leave no empty folders. */
export function nextEpoch(epochs: readonly number[], files: readonly SpoolFile[]): number {
  const newest = Math.max(0, ...epochs)
  const isUnused = newest > 0 && !files.some(({ epoch }) => epoch === newest)
  return isUnused ? newest : newest + 1
}

/** The newest reset up to epoch `newest`; null when all epochs stand on each other. */
export function newestLineage(records: Iterable<EpochRecord>, newest: number): Lineage | null {
  const broken = [...records].filter(({ breaksLineage, epoch }) => breaksLineage && epoch <= newest)
  return broken.at(-1) ?? null
}
