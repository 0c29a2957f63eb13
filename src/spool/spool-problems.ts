import type { LandbridgeError } from '../base/errors.ts'
import type { TroubleNow } from '../base/trouble.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem } from '../status/status.ts'
import type { HeldBack } from './retention.ts'
import type { SpoolClaims } from './spool-claims.ts'
import type { Lineage } from './spool-lineage.ts'

/** These only a person can mend. A disk may have room again. */
const BLOCKING = ['ERR_SPOOL_FLAVOR', 'ERR_BINLOG_NAME']

/** What the writer of a spool cannot get past; null while it goes well. */
export function diskProblems(
  stream: string,
  trouble: TroubleNow<LandbridgeError> | null,
): Problem[] {
  if (trouble === null) return []
  const severity = BLOCKING.includes(trouble.error.code) ? 'blocked' : 'error'
  return [problemOf(trouble, { severity, where: `spool:${stream}` })]
}

/** As long as what is of before a reset stays beyond the limits that are set. */
export function heldProblems(
  stream: string,
  held: HeldBack | null,
  lineage: Lineage | null,
  isFull: boolean,
): Problem[] {
  if (held === null) return []
  const { files, bytes, untilMs } = held
  const until = new Date(untilMs).toISOString().slice(0, 16)
  return [
    {
      code: 'ERR_SPOOL_HELD',
      severity: isFull ? 'error' : 'warning',
      where: `spool:${stream}`,
      message:
        `${files} files (${Math.ceil(bytes / 1e6)} MB) would go, but the source was reset: ` +
        `they stay until ${until} UTC${isFull ? ', and the disk is full' : ''}`,
      remedy:
        'If you did not reset the source, somebody else may have, to get rid of them: copy the ' +
        "spool's folders of before away. If it was you and you need the room, set a shorter " +
        'retention.minimumHold and restart the gateway.',
      sinceMs: lineage?.startedAtMs ?? untilMs,
    },
  ]
}

/** Until a person has removed the file that lies aside. */
export function recordProblems(stream: string, damaged: SpoolClaims['damaged']): Problem[] {
  if (damaged === null) return []
  const { path, sinceMs } = damaged
  return [
    {
      code: 'ERR_SPOOL_REPLICAS',
      severity: 'warning',
      where: `spool:${stream}`,
      message: `the record of which replicas were served could not be read; it is kept as ${path}`,
      remedy:
        'See that each replica connects again: only then files are kept for it. After a reset of ' +
        'the source those that are not remembered are refused until `landbridge replica detach ' +
        `ID\`. Then remove ${path}.`,
      sinceMs,
    },
  ]
}
