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

/** Node's timers hold 31 bits, 24.8 days: a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  // performance.timeOrigin does not follow a stepped wall clock, Date.now() does.
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (delayMs, options = {}) => {
    let leftMs = delayMs
    for (; leftMs > TIMER_MS_MAX; leftMs -= TIMER_MS_MAX) {
      await sleep(TIMER_MS_MAX, undefined, options)
    }
    await sleep(leftMs, undefined, options)
  },
}
