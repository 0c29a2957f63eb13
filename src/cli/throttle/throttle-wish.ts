import { InvalidArgumentError } from 'commander'
import { parseBytes, parseDurationMs } from '../../config/quantity.ts'
import { FOR_SECONDS_MAX } from '../../gateway/throttle/throttle-schemas.ts'
import { RATE_BYTES_MAX, RATE_BYTES_MIN } from '../../progress/throttle-orders.ts'

/** Beside a rate. */
export const WORDS = ['show', 'pause', 'resume', 'off'] as const

export type ThrottleWish = (typeof WORDS)[number] | { readonly bytesPerSecond: number }

/** `20MB/s`, `512KiB`, or one of the words. */
export function wishOf(text: string): ThrottleWish {
  const word = WORDS.find((one) => one === text)
  if (word !== undefined) return word
  const bytesPerSecond = parseBytes(text.replace(/\/s$/i, ''))
  if (bytesPerSecond === null || bytesPerSecond > RATE_BYTES_MAX) {
    throw new InvalidArgumentError(
      `A rate in bytes such as 20MB/s or 512KiB/s, or ${WORDS.join(', ')}.`,
    )
  }
  if (bytesPerSecond >= RATE_BYTES_MIN) return { bytesPerSecond }
  throw new InvalidArgumentError('At least 1KiB/s; `pause` lets nothing pass.')
}

/** Whole seconds of `2h`, `90s`. */
export function secondsOf(text: string): number {
  const ms = parseDurationMs(text)
  const seconds = Math.round((ms ?? 0) / 1000)
  if (seconds >= 1 && seconds <= FOR_SECONDS_MAX) return seconds
  throw new InvalidArgumentError('A duration with its unit such as 2h, 30m or 90s, up to 366d.')
}
