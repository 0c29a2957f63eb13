import { z } from 'zod'
import * as field from '../config/fields.ts'
import type { StreamSection } from '../config/section.ts'
import { RATE_BYTES_MAX, RATE_BYTES_MIN } from './throttle-orders.ts'
import { cronOf, type ThrottleWindow } from './throttle-schedule.ts'
import type { YieldRateOptions } from './yield-rate.ts'

/** Who says from outside that production needs a rest. */
export interface BrakeConfig {
  /** Where to ask; or at the source with the login that is there. */
  readonly ask: { readonly url: string } | { readonly query: string }
  readonly everyMs: number
  readonly timeoutMs: number
  /** So long one that does not answer holds the stream. */
  readonly silentMs: number
}

/** Of what is sent while this site is the origin. */
export interface ThrottleConfig {
  /** Null: as fast as it goes. */
  readonly bytesPerSecond: number | null
  readonly schedule: readonly ThrottleWindow[]
  /** Null: others in the tunnel are not looked after. */
  readonly yield: YieldRateOptions | null
  readonly brake: BrakeConfig | null
}

export const NO_THROTTLE: ThrottleConfig = {
  bytesPerSecond: null,
  schedule: [],
  yield: null,
  brake: null,
}

const WINDOWS_MAX = 50
const WEEK_MS = 7 * 86_400_000
const QUERY_CHARACTERS_MAX = 4_000

const isRate = (value: number): boolean => value >= RATE_BYTES_MIN && value <= RATE_BYTES_MAX
const rate = field.bytes.refine(isRate, { error: 'must be at least 1KiB' })
const rateOrPause = field.bytes.refine((value) => value === 0 || isRate(value), {
  error: 'must be at least 1KiB, or 0 to pause',
})

const duration = (lowMs: number, highMs: number, rule: string) =>
  field.durationMs.refine((ms) => ms >= lowMs && ms <= highMs, { error: rule })

const window = field
  .mapping({
    cron: field.text('must be a cron expression such as 0 8 * * 1-5'),
    timeZone: field.text('must be a time zone such as Europe/Berlin').default('UTC'),
    for: duration(60_000, WEEK_MS, 'must be a duration from 1m to 7d'),
    bytesPerSecond: rateOrPause,
  })
  .superRefine(({ cron, timeZone }, context) => {
    const add = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message })
    }
    if (!isTimeZone(timeZone)) {
      add('timeZone', 'must be a time zone such as Europe/Berlin')
      return
    }
    try {
      if (cronOf({ cron, timeZone }).nextRun() === null) add('cron', 'is never due')
    } catch {
      add('cron', 'must be a cron expression of five fields such as 0 8 * * 1-5')
    }
  })

const url = field.converted(
  (raw) => (typeof raw === 'string' ? brakeUrl(raw) : null),
  'must be http://HOST/PATH or https://HOST/PATH, without a user and a password',
)

const brake = field
  .mapping({
    url: url.optional(),
    query: field
      .text('must be an SQL query that answers a number')
      .max(QUERY_CHARACTERS_MAX, { error: `must have up to ${QUERY_CHARACTERS_MAX} characters` })
      .optional(),
    every: duration(200, 60_000, 'must be a duration from 200ms to 1m').prefault('1s'),
    timeout: duration(100, 30_000, 'must be a duration from 100ms to 30s').prefault('2s'),
    silentFor: duration(0, 52 * WEEK_MS, 'must be a duration from 0s to 364d').prefault('5m'),
  })
  .refine(({ url, query }) => (url === undefined) !== (query === undefined), {
    error: 'must have a `url` or a `query`, and not both',
  })

const yields = field.mapping({
  queueDelay: duration(1, 10_000, 'must be a duration from 1ms to 10s').prefault('20ms'),
  leastBytesPerSecond: rate.prefault('100KB'),
})

const schema = field.mapping({
  bytesPerSecond: rate.optional(),
  schedule: z
    .array(window, { error: 'must be a list of windows' })
    .max(WINDOWS_MAX, {
      error: `must have up to ${WINDOWS_MAX} windows`,
    })
    .default([]),
  yield: yields.optional(),
  brake: brake.optional(),
})

function yieldOf(section: z.output<typeof yields>): YieldRateOptions {
  const { queueDelay: targetMs, leastBytesPerSecond } = section
  return { targetMs, leastBytesPerSecond }
}

function brakeOf(section: z.output<typeof brake>): BrakeConfig {
  const { url: at, query, every, timeout, silentFor } = section
  const ask = at !== undefined ? { url: at } : { query: query ?? '' }
  return { ask, everyMs: every, timeoutMs: timeout, silentMs: silentFor }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** A password in an address would be shown with it. */
function brakeUrl(text: string): string | null {
  const parsed = URL.parse(text)
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) return null
  return parsed.username === '' && parsed.password === '' ? parsed.href : null
}

export const throttleSection: StreamSection<ThrottleConfig> = {
  load(raw, { problems, where }) {
    if (raw === undefined) return NO_THROTTLE
    const section = problems.parse(schema, raw, [where])
    if (section === null) return undefined
    const { bytesPerSecond = null, schedule, yield: yields, brake: asked } = section
    return {
      bytesPerSecond,
      schedule: schedule.map(({ for: forMs, ...rest }) => ({ ...rest, forMs })),
      yield: yields === undefined ? null : yieldOf(yields),
      brake: asked === undefined ? null : brakeOf(asked),
    }
  },

  template() {
    return [
      '# throttle: { bytesPerSecond: 50MiB }    # of what is sent while this site is the origin',
    ]
  },
}
