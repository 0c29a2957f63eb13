import { LandbridgeError } from '../base/errors.ts'

/** Of a file of a log that is not there any more. */
export function removedMeanwhile(path: string): LandbridgeError {
  return new LandbridgeError('ERR_SPOOL_REMOVED', `${path} was removed while it was read`, {
    retryable: true,
    remedy:
      'A reader that connects again is served what is left, or refused. `retention.size` with ' +
      '`hardLimit: true` removes files that a replica still needs.',
    details: { path },
  })
}
