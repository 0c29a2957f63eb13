import { z } from 'zod'
import type { ThrottleLimit } from './throttle-limit.ts'

/** Of a rate that somebody sets. Below it a frame would take a second and more. */
export const RATE_BYTES_MIN = 1024
/** 1 PB/s: for sums that stay whole numbers. */
export const RATE_BYTES_MAX = 1e15

const order = z.object({
  /** Who asked: `socket`, or `peer NAME`. */
  by: z.string(),
  atMs: z.number(),
  untilMs: z.number().nullable(),
})

/** What operators asked for while the gateway runs; kept until it ends or is taken back. */
export const throttleOrders = z.object({
  rate: order
    .extend({ bytesPerSecond: z.int().min(RATE_BYTES_MIN).max(RATE_BYTES_MAX) })
    .nullable(),
  pause: order.nullable(),
})

export type ThrottleOrders = z.output<typeof throttleOrders>

export const NO_ORDERS: ThrottleOrders = { rate: null, pause: null }

/** Those that have not ended. */
export function standingOrders({ rate, pause }: ThrottleOrders, nowMs: number): ThrottleOrders {
  const stands = (untilMs: number | null | undefined): boolean => (untilMs ?? Infinity) > nowMs
  return {
    rate: stands(rate?.untilMs) ? rate : null,
    pause: stands(pause?.untilMs) ? pause : null,
  }
}

/** A pause and a rate stand beside each other: after `resume` the rate holds again. */
export function limitsOfOrders(orders: ThrottleOrders, nowMs: number): ThrottleLimit[] {
  const { rate, pause } = standingOrders(orders, nowMs)
  const limits: ThrottleLimit[] = []
  if (pause !== null) limits.push(limitOf(pause, 0, 'paused'))
  if (rate !== null) limits.push(limitOf(rate, rate.bytesPerSecond, 'set'))
  return limits
}

function limitOf(
  { by, atMs, untilMs }: z.output<typeof order>,
  bytesPerSecond: number,
  what: string,
): ThrottleLimit {
  const reason = `${what} by ${by === 'socket' ? 'an operator' : by}`
  return { bytesPerSecond, by: 'operator', reason, sinceMs: atMs, untilMs }
}
