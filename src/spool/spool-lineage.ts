import type { EpochRecord, EpochSource } from './spool-file.ts'

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

/** The newest reset up to epoch `newest`; null when all epochs stand on each other. */
export function newestLineage(records: Iterable<EpochRecord>, newest: number): Lineage | null {
  const broken = [...records].filter(({ breaksLineage, epoch }) => breaksLineage && epoch <= newest)
  return broken.at(-1) ?? null
}
