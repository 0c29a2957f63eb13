import { performance } from 'node:perf_hooks'

/** Time as a value that is passed in, so that logic can be tested without waiting. */
export interface Clock {
  /** Wall clock, milliseconds since 1970 with a fraction. It may step. */
  wallMs(): number
  /** Never goes back; only differences mean anything. */
  monotonicMs(): number
  /** Settles after `delayMs`; rejects with AbortError when `signal` is aborted. */
  sleep(delayMs: number, options?: { readonly signal?: AbortSignal }): Promise<void>
}

import { setTimeout as sleep } from 'node:timers/promises'

export const systemClock: Clock = {
  // performance.timeOrigin does not follow a stepped wall clock, Date.now() does.
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, options = {}) => sleep(delayMs, undefined, options),
}
