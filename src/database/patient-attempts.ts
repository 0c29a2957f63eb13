import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { AttemptBudget, Connect } from '../mysql/connect-attempts.ts'

export interface PatienceOptions {
  readonly clock: Clock
  /** `host:port`, for the error's text. */
  readonly server: string
  /** Called once when the attempt has to wait. */
  readonly onWait: () => void
}

/** A turn that comes within this is no wait. */
const NOTICE_MS = 1_000
/** Longer than between two logins that the server refuses; after broken handshakes it is hours. */
const TURN_MS_MAX = 75_000

/**
 * The same budget for somebody who waits for an answer: where the turn of an attempt does not come
 * within 75 s it is given up, with ERR_SQL_LOGIN, and none is made.
 */
export function patientAttempts(
  budget: AttemptBudget,
  { clock, server, onWait }: PatienceOptions,
): AttemptBudget {
  const run = async <T>(connect: Connect<T>, signal: AbortSignal): Promise<T> => {
    const [due, late] = [new AbortController(), new AbortController()]
    const waited = async (): Promise<void> => {
      await clock.sleep(NOTICE_MS, { signal: due.signal })
      onWait()
      await clock.sleep(TURN_MS_MAX - NOTICE_MS, { signal: due.signal })
      late.abort()
    }
    // Rejects only when it is due, or over.
    const waiting = waited().catch(() => undefined)
    try {
      return await budget.run(
        (reached) => {
          due.abort()
          return connect(reached)
        },
        AbortSignal.any([signal, late.signal]),
      )
    } catch (error) {
      if (!late.signal.aborted || signal.aborted) throw error
      throw noTurn(server)
    } finally {
      due.abort()
      await waiting
    }
  }
  return { run }
}

function noTurn(server: string): LandbridgeError {
  const message = `logins at ${server} failed so often that the next one is not due yet`
  return new LandbridgeError('ERR_SQL_LOGIN', message, {
    retryable: true,
    remedy:
      '`landbridge status` says why they fail. Mend that; after a restart of the gateway the ' +
      'next one is due.',
  })
}
