import { Cron } from 'croner'
import type { ThrottleLimit } from './throttle-limit.ts'

/** From each moment that `cron` names, for so long, no more than that. */
export interface ThrottleWindow {
  /** Five fields as in crontab(5); croner's names and `L`, `#`, `W` too. */
  readonly cron: string
  /** Of the IANA database, such as Europe/Berlin. */
  readonly timeZone: string
  readonly forMs: number
  /** 0: nothing passes. */
  readonly bytesPerSecond: number
}

/** A cron expression that is due every minute is looked at every second. */
const LOOKS_MAX = 1_500

/** What holds by the clock on the wall of the window's time zone, summer time included. */
export class ThrottleSchedule {
  readonly #windows: readonly { readonly window: ThrottleWindow; readonly cron: Cron }[]

  constructor(windows: readonly ThrottleWindow[]) {
    this.#windows = windows.map((window) => ({ window, cron: cronOf(window) }))
  }

  limitsAt(nowMs: number): ThrottleLimit[] {
    return this.#windows.flatMap(({ window, cron }) => {
      const span = openSpan(window, cron, nowMs)
      if (span === null) return []
      const reason = `schedule ${window.cron} (${window.timeZone})`
      return [{ bytesPerSecond: window.bytesPerSecond, by: 'schedule', reason, ...span }]
    })
  }
}

/** Throws croner's error where the expression or the time zone is none. */
export function cronOf({ cron, timeZone }: Pick<ThrottleWindow, 'cron' | 'timeZone'>): Cron {
  return new Cron(cron, { timezone: timeZone, mode: '5-part' })
}

/** From the first of the windows that overlap now, as far as one look sees, to the last's end. */
function openSpan(
  { forMs }: ThrottleWindow,
  cron: Cron,
  nowMs: number,
): { readonly sinceMs: number; readonly untilMs: number } | null {
  const first = cron.nextRun(new Date(nowMs - forMs))?.getTime() ?? null
  if (first === null || first > nowMs) return null
  let last = first
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const next = cron.nextRun(new Date(last))?.getTime() ?? null
    if (next === null || next > nowMs) break
    last = next
  }
  return { sinceMs: first, untilMs: last + forMs }
}
