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

const MINUTE_MS = 60_000
/** Of one that is due every minute, this is a day: whoever wants more has it with the next look. */
const LOOKS_MAX = 1_500

/** What holds by the clock on the wall of the window's time zone, summer time included. */
export class ThrottleSchedule {
  readonly #windows: readonly { readonly window: ThrottleWindow; readonly cron: Cron }[]

  /** As of this minute. */
  #minute = Number.NaN
  #seen: readonly ThrottleLimit[] = []

  constructor(windows: readonly ThrottleWindow[]) {
    this.#windows = windows.map((window) => ({ window, cron: cronOf(window) }))
  }

  /** Windows open with a minute; it is asked many times in one. */
  limitsAt(nowMs: number): readonly ThrottleLimit[] {
    const minute = Math.floor(nowMs / MINUTE_MS)
    const isFresh = this.#seen.every(({ untilMs }) => (untilMs ?? 0) > nowMs)
    if (minute === this.#minute && isFresh) return this.#seen
    this.#minute = minute
    this.#seen = this.#look(nowMs)
    return this.#seen
  }

  #look(nowMs: number): readonly ThrottleLimit[] {
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
