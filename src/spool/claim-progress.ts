import type { ClaimName } from '../binlog/log.ts'

/** How far a consumer has come, and how far it could have: ordinals of files. */
export interface Progress {
  readonly reached: number
  readonly newest: number
}

interface Course {
  /** Where it began. */
  readonly from: number
  reached: number
  /** Fewest files to the newest one since the target was set. */
  behind: number
  /** The newest file when the consumer had last come so far. */
  target: number
  targetSinceMs: number
}

/**
 * Tells progress from being connected. Progress is to come to where the log ended at the last such
 * moment, or nearer to its end. To come to a further file and no nearer is progress for `ageMsMax`:
 * after that the reader only falls behind. A reader that stalls does none of these.
 */
export class ClaimProgress {
  readonly #ageMsMax: number
  readonly #courses = new Map<ClaimName, Course>()

  constructor(ageMsMax: number) {
    this.#ageMsMax = ageMsMax
  }

  /** True when that is progress; to come for the first time is. */
  note(claim: ClaimName, { reached, newest }: Progress, nowMs: number): boolean {
    const course = this.#courses.get(claim)
    const behind = newest - reached
    // One that begins before its course did was made anew from an older backup.
    if (course === undefined || reached >= course.target || reached < course.from) {
      const start = { from: reached, reached, behind }
      this.#courses.set(claim, { ...start, target: newest, targetSinceMs: nowMs })
      return true
    }
    const isNearer = behind < course.behind
    const isFurther = reached > course.reached
    course.reached = Math.max(course.reached, reached)
    course.behind = Math.min(course.behind, behind)
    return isNearer || (isFurther && nowMs - course.targetSinceMs <= this.#ageMsMax)
  }

  forget(claim: ClaimName): void {
    this.#courses.delete(claim)
  }
}
