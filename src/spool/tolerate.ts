import { describeError, errorFields } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

/** Does what the stream can go on without, and logs why it failed; true when it did not. */
export type Tolerate = (what: string, work: () => Promise<void>) => Promise<boolean>

export function tolerating(log: Log): Tolerate {
  return async (what, work) => {
    try {
      await work()
      return true
    } catch (cause) {
      log.warn(errorFields(cause), `cannot ${what}: ${describeError(cause)}`)
      return false
    }
  }
}
