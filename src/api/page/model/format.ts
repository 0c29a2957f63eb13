/*
 * Numbers as the page shows them: short, in steps in which a change means something. Null is `–`:
 * nothing is known.
 */

export const UNKNOWN = '–'

/** `320 ms`, `4.2 s`, `1 min 32 s`, `3 h 5 min`, `2 d 4 h`. */
export function shortDuration(ms: number | null): string {
  if (ms === null) return UNKNOWN
  if (ms < 1) return '0 s'
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return two(minutes, 'min', seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min')
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}

export function shortAge(ms: number | null): string {
  if (ms === null) return UNKNOWN
  return ms < 1_500 ? 'now' : `${shortDuration(ms)} ago`
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `512 B`, `60.4 KiB`, `1 MiB`: three digits. */
export function shortBytes(bytes: number | null): string {
  if (bytes === null) return UNKNOWN
  let value = Math.round(bytes)
  let unit = 0
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
  const text = Number(value.toFixed(unit === 0 ? 0 : digits)).toString()
  return `${text} ${BYTE_UNITS[unit]}`
}

export function byteRate(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? UNKNOWN : `${shortBytes(bytesPerSecond)}/s`
}

export function count(value: number | null): string {
  return value === null ? UNKNOWN : Math.round(value).toLocaleString('en-US')
}

export function perSecond(value: number | null): string {
  if (value === null) return UNKNOWN
  return `${value > 0 && value < 10 ? value.toFixed(1) : count(value)}/s`
}

/** A moment in the zone of whoever looks. */
export class LocalTime {
  readonly #time: Intl.DateTimeFormat
  readonly #day: Intl.DateTimeFormat
  /** Such as `Europe/Berlin (CET)`. */
  readonly zone: string

  /** `timeZone`: the one of the machine that looks, unless a test says another. */
  constructor(timeZone?: string) {
    const zone = timeZone === undefined ? {} : { timeZone }
    const hours = {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    } as const
    const day = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    this.#time = new Intl.DateTimeFormat('en-GB', { ...zone, ...hours })
    // Of all that `Intl` writes, Swedish days are those that nobody mistakes.
    this.#day = new Intl.DateTimeFormat('sv-SE', { ...zone, ...day })
    const named = new Intl.DateTimeFormat('en-GB', { ...zone, timeZoneName: 'short' })
    const short = named.formatToParts(0).find(({ type }) => type === 'timeZoneName')?.value ?? ''
    const { timeZone: name } = named.resolvedOptions()
    this.zone = short === name || short === '' ? name : `${name} (${short})`
  }

  /** `04:52:11`. */
  time(atMs: number): string {
    return this.#time.format(atMs)
  }

  /** `2026-11-28 04:52:11`. */
  moment(atMs: number): string {
    return `${this.#day.format(atMs)} ${this.#time.format(atMs)}`
  }

  /** The time alone when it is of the same day as `nowMs`. */
  brief(atMs: number, nowMs: number): string {
    const isToday = this.#day.format(atMs) === this.#day.format(nowMs)
    return isToday ? this.time(atMs) : this.moment(atMs)
  }
}
