import type { GatewayStatus } from './status.ts'
import { type Condition, conditionsOf, overCondition, USUAL_STATE } from './status-events.ts'

/** A change that is worth an event. */
export interface Change extends Condition {
  /** How often it began to change since it was told last, this change aside. */
  readonly untold: number
}

export interface ConditionWatchOptions {
  /** What was told last, from before a restart: state by key, and the words for what was on. */
  readonly known: ReadonlyMap<string, Condition>
  /** So long a new state must hold before it is told. Default: 3 s. */
  readonly holdMs?: number
}

const HOLD_MS = 3_000
/** After a start nothing is connected yet, and problems of before were not found again: no news. */
const SETTLE_MS = 20_000
/** What comes and goes is told so often in a while, and then counted. */
const TOLD_MAX = 6
const TOLD_WINDOW_MS = 10 * 60_000

interface Tracked {
  /** As it was told last; null: never. */
  told: Condition | null
  /** Another state than that, and since when. */
  pending: { readonly condition: Condition; readonly sinceMs: number } | null
  /** That was before a restart. */
  isOld: boolean
  /** When it was told, within the window. */
  toldAtMs: number[]
  /** How often it began to change since then. */
  untold: number
}

/**
 * Finds out what changed between one look at the status and the next. Pure: it is given the status
 * and a monotonic time. A state that holds for a moment only is not told, and one that comes and
 * goes is told a few times and then counted, so that it fills neither disk nor screen.
 */
export class ConditionWatch {
  readonly #holdMs: number
  readonly #tracked = new Map<string, Tracked>()
  #firstMs: number | null = null

  constructor({ known, holdMs = HOLD_MS }: ConditionWatchOptions) {
    this.#holdMs = holdMs
    for (const [key, told] of known) {
      this.#tracked.set(key, { told, isOld: true, pending: null, toldAtMs: [], untold: 0 })
    }
  }

  /** What has changed for good since the last look. */
  look(status: GatewayStatus, nowMs: number): Change[] {
    this.#firstMs ??= nowMs
    const now = new Map(conditionsOf(status).map((condition) => [condition.key, condition]))
    const isSettling = nowMs - this.#firstMs < SETTLE_MS
    const changes: Change[] = []
    for (const key of new Set([...now.keys(), ...this.#tracked.keys()])) {
      const change = this.#lookAt(key, now.get(key) ?? null, { nowMs, isSettling })
      if (change !== null) changes.push(change)
    }
    return changes
  }

  #lookAt(
    key: string,
    found: Condition | null,
    { nowMs, isSettling }: { readonly nowMs: number; readonly isSettling: boolean },
  ): Change | null {
    const tracked = this.#tracked.get(key) ?? newlyTracked(found)
    this.#tracked.set(key, tracked)
    tracked.toldAtMs = tracked.toldAtMs.filter((atMs) => nowMs - atMs < TOLD_WINDOW_MS)
    const { told } = tracked
    const condition = found ?? (told === null ? null : overCondition(told))
    if (condition === null || condition.state === (told?.state ?? usualStateOf(condition))) {
      tracked.pending = null
      const isOver = told === null || told.state === USUAL_STATE
      if (found === null && isOver && tracked.toldAtMs.length === 0) this.#tracked.delete(key)
      return null
    }
    if (tracked.pending?.condition.state !== condition.state) {
      tracked.pending = { condition, sinceMs: nowMs }
      tracked.untold += 1
    }
    if (condition.kind === 'role') return tell(tracked, condition, nowMs)
    // An objective has a hysteresis of its own.
    const holdMs = condition.kind === 'objective' ? 0 : this.#holdMs
    const isShort = nowMs - tracked.pending.sinceMs < holdMs
    const isUnsettled = condition.state === 'down' || (found === null && tracked.isOld)
    if (isShort || (isSettling && isUnsettled)) return null
    return tracked.toldAtMs.length >= TOLD_MAX ? null : tell(tracked, condition, nowMs)
  }
}

function tell(tracked: Tracked, condition: Condition, nowMs: number): Change {
  const untold = tracked.untold - 1
  tracked.told = condition
  tracked.isOld = false
  tracked.pending = null
  tracked.untold = 0
  tracked.toldAtMs.push(nowMs)
  return { ...condition, untold }
}

/** A first role is no change of one. */
function newlyTracked(found: Condition | null): Tracked {
  const told = found?.kind === 'role' ? found : null
  return { told, isOld: false, pending: null, toldAtMs: [], untold: 0 }
}

/** What nobody has to be told of at first. */
function usualStateOf({ kind }: Condition): string {
  return { problem: USUAL_STATE, objective: 'met', link: 'up', role: USUAL_STATE }[kind]
}
