import type { SpoolFile } from './spool-file.ts'

export interface RetentionPolicy {
  /** Files whose last event is older may go; null: no limit. */
  readonly ageMsMax: number | null
  /** Oldest files go until the rest is this small; null: no limit. */
  readonly bytesMax: number | null
  /** True: `bytesMax` wins over what a claim still keeps. */
  readonly hardLimit: boolean
  /**
   * Files of before a reset of the source stay so long after it, whatever the limits say: the reset
   * may be an intruder's, and they the last that is known of the time before. Default: 0.
   */
  readonly minimumHoldMs?: number
  /** For how long files are kept for a consumer that does not move on. Default: for ever. */
  readonly replicaAgeMsMax?: number
}

/** A policy, and what it is applied to. */
export interface RetentionRules {
  readonly policy: RetentionPolicy
  /** A claim keeps this ordinal, and what comes after it. */
  readonly neededFrom: number
  readonly nowMs: number
  /** By epoch: when a reset of the source ended its lineage; missing while that goes on. */
  readonly endedMs: ReadonlyMap<number, number>
}

export interface HeldBack {
  readonly files: number
  readonly bytes: number
  /** When the last of them may go. */
  readonly untilMs: number
}

/**
 * Which files may be removed, oldest first. The newest file always stays; so does what a claim
 * keeps, unless the size limit is a hard one, and for some time what is of before a reset.
 */
export function filesToRemove(files: readonly SpoolFile[], rules: RetentionRules): SpoolFile[] {
  const due = filesDue(files, rules)
  const firstHeld = due.findIndex(({ epoch }) => heldUntilMs(epoch, rules) > rules.nowMs)
  return firstHeld === -1 ? due : due.slice(0, firstHeld)
}

/** What would go, were it not of before a reset; null when that is nothing. */
export function heldBack(files: readonly SpoolFile[], rules: RetentionRules): HeldBack | null {
  const due = filesDue(files, rules)
  const held = due.slice(filesToRemove(files, rules).length)
  if (held.length === 0) return null
  const bytes = held.reduce((sum, file) => sum + file.bytes, 0)
  const untilMs = held.reduce((ms, { epoch }) => Math.max(ms, heldUntilMs(epoch, rules)), 0)
  return { files: held.length, bytes, untilMs }
}

function heldUntilMs(epoch: number, { policy, endedMs }: RetentionRules): number {
  const sinceMs = endedMs.get(epoch)
  return sinceMs === undefined ? 0 : sinceMs + (policy.minimumHoldMs ?? 0)
}

function filesDue(files: readonly SpoolFile[], rules: RetentionRules): SpoolFile[] {
  const { policy, neededFrom, nowMs } = rules
  let total = files.reduce((sum, file) => sum + file.bytes, 0)
  const due: SpoolFile[] = []
  for (const file of files.slice(0, -1)) {
    const tooLarge = policy.bytesMax !== null && total > policy.bytesMax
    const tooOld =
      policy.ageMsMax !== null &&
      file.lastTimestamp > 0 &&
      nowMs - file.lastTimestamp * 1000 > policy.ageMsMax
    if (!tooLarge && !tooOld) break
    const needed = file.ordinal >= neededFrom
    if (needed && !(tooLarge && policy.hardLimit)) break
    due.push(file)
    total -= file.bytes
  }
  return due
}
