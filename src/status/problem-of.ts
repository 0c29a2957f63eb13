import { describeError, errorFields } from '../base/errors.ts'
import type { TroubleNow } from '../base/trouble.ts'
import type { Problem } from './status.ts'

/** A trouble as the status reports it: with code, remedy, and since when. */
export function problemOf(
  { error, sinceMs }: TroubleNow<unknown>,
  { where, severity }: Pick<Problem, 'where' | 'severity'>,
): Problem {
  return { ...errorFields(error), severity, where, message: describeError(error), sinceMs }
}
