import { LandbridgeError } from '../../base/errors.ts'
import { isSiteName, type SiteName } from '../lab-sites.ts'

/** `a` is the first site of a pair, in the order of the lab's sites; `b` the other one. */
export type WanDirection = 'a-to-b' | 'b-to-a'

/** What the WAN between two sites does to packets, the same in both directions. */
export interface WanSettings {
  /** One way; the round trip is twice this. */
  readonly delayMs: number
  /** A packet takes delayMs plus up to this much longer or shorter. Order is kept. */
  readonly jitterMs: number
  readonly lossPercent: number
  /** So many packets skip the delay, and so overtake the ones before them. */
  readonly reorderPercent: number
  /** Bits per second per direction; null is as fast as it goes. */
  readonly rateBps: number | null
  /** Bytes that may wait for their turn in front of the rate; more are dropped. */
  readonly queueBytesMax: number
  readonly cut: boolean
  readonly blackhole: WanDirection | null
  /** UDP payloads larger than this are dropped without a word, as a broken path MTU does. */
  readonly dropAboveBytes: number | null
}

export interface WanPairSettings {
  readonly between: readonly [SiteName, SiteName]
  readonly settings: WanSettings
}

export const clearWan: WanSettings = {
  delayMs: 0,
  jitterMs: 0,
  lossPercent: 0,
  reorderPercent: 0,
  rateBps: null,
  queueBytesMax: 1024 * 1024,
  cut: false,
  blackhole: null,
  dropAboveBytes: null,
}

/** True when packets pass as they come, so that nobody needs to look at them. */
export function isClear(settings: WanSettings): boolean {
  return (
    settings.delayMs === 0 &&
    settings.jitterMs === 0 &&
    settings.lossPercent === 0 &&
    settings.reorderPercent === 0 &&
    settings.rateBps === null &&
    !settings.cut &&
    settings.blackhole === null &&
    settings.dropAboveBytes === null
  )
}

/** Flags of `lab up`, `lab wan` and `demo` as the command line gives them. */
export interface WanFlags {
  readonly rtt?: string
  readonly delay?: string
  readonly jitter?: string
  readonly loss?: string
  readonly reorder?: string
  readonly rate?: string
  readonly queue?: string
  readonly cut?: boolean
  readonly heal?: boolean
  readonly blackhole?: string
  readonly dropAbove?: string
}

/** Only what the flags name; `--heal` ends a cut, a black hole and a size limit. */
export function parseWanFlags(flags: WanFlags): Partial<WanSettings> {
  const changes: Record<string, unknown> = {}
  if (flags.heal === true) {
    Object.assign(changes, { cut: false, blackhole: null, dropAboveBytes: null })
  }
  if (flags.rtt !== undefined) changes.delayMs = number('--rtt', flags.rtt, 20_000) / 2
  if (flags.delay !== undefined) changes.delayMs = number('--delay', flags.delay, 10_000)
  if (flags.jitter !== undefined) changes.jitterMs = number('--jitter', flags.jitter, 10_000)
  if (flags.loss !== undefined) changes.lossPercent = number('--loss', flags.loss, 100)
  if (flags.reorder !== undefined) changes.reorderPercent = number('--reorder', flags.reorder, 100)
  if (flags.rate !== undefined) changes.rateBps = parseRate(flags.rate)
  if (flags.queue !== undefined) changes.queueBytesMax = number('--queue', flags.queue, 2 ** 30)
  if (flags.cut === true) changes.cut = true
  if (flags.blackhole !== undefined) changes.blackhole = parseDirection(flags.blackhole)
  if (flags.dropAbove !== undefined) {
    changes.dropAboveBytes = orNone(flags.dropAbove, (text) => number('--drop-above', text, 65_535))
  }
  return changes
}

/** `ec2,azure`, in any order. */
export function parseBetween(text: string): readonly [SiteName, SiteName] {
  const [one = '', other = '', ...more] = text.split(',').map((part) => part.trim())
  if (isSiteName(one) && isSiteName(other) && one !== other && more.length === 0) {
    return [one, other]
  }
  throw badFlag('--between', text, 'two sites such as ec2,azure')
}

/** `50mbit`, `1.5gbit`, `800kbit`, plain bits per second, or `none`. */
export function parseRate(text: string): number | null {
  return orNone(text, () => {
    const match = /^(\d+(?:\.\d+)?)\s*(k|m|g)?(?:bit|bps|bit\/s)?$/i.exec(text.trim())
    const factors: Record<string, number> = { k: 1e3, m: 1e6, g: 1e9 }
    const bps = Number(match?.[1]) * (factors[(match?.[2] ?? '').toLowerCase()] ?? 1)
    if (match === null || bps < 1_000) {
      throw badFlag('--rate', text, 'a rate such as 50mbit (at least 1kbit) or none')
    }
    return bps
  })
}

function parseDirection(text: string): WanDirection | null {
  if (text === 'none') return null
  if (text === 'a-to-b' || text === 'b-to-a') return text
  throw badFlag('--blackhole', text, 'a-to-b (from the first site of a pair), b-to-a or none')
}

function orNone<T>(text: string, parse: (text: string) => T): T | null {
  return text === 'none' ? null : parse(text)
}

function number(flag: string, text: string, max: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!(value >= 0 && value <= max)) throw badFlag(flag, text, `a number from 0 to ${max}`)
  return value
}

function badFlag(flag: string, value: string, expected: string): LandbridgeError {
  return new LandbridgeError('ERR_USAGE', `${flag} ${value} is not ${expected}`)
}

export function describeWan(settings: WanSettings): string {
  const parts = [`rtt ${settings.delayMs * 2} ms`]
  if (settings.jitterMs > 0) parts.push(`jitter ${settings.jitterMs} ms`)
  parts.push(`loss ${settings.lossPercent} %`)
  if (settings.reorderPercent > 0) parts.push(`reorder ${settings.reorderPercent} %`)
  if (settings.rateBps !== null) parts.push(`rate ${settings.rateBps / 1e6} Mbit/s`)
  if (settings.blackhole !== null) parts.push(`black hole ${settings.blackhole}`)
  if (settings.dropAboveBytes !== null) parts.push(`drops above ${settings.dropAboveBytes} bytes`)
  if (settings.cut) parts.push('CUT')
  return parts.join(', ')
}
