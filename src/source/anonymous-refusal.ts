import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { SourcePlace } from './dump-watch.ts'
import type { SourceConnection } from './source-connection.ts'

const ANONYMOUS = 'Anonymous_Gtid'

/** Whether the source took a dump and then would not send what comes next. */
export function isRefusal(error: unknown): error is LandbridgeError {
  return isLandbridgeError(error) && error.code === 'ERR_SOURCE_DUMP' && !error.retryable
}

/**
 * A MySQL source with `gtid_mode` ON sends no transaction without a GTID, whatever its dump was
 * asked by, and says only 1236. What it would not send is looked at in its file: where that is such
 * a transaction, there is a way to get it. Else `refusal` as it is.
 */
export async function explainRefusal(
  refusal: LandbridgeError,
  { file, offset }: SourcePlace,
  connection: SourceConnection,
): Promise<LandbridgeError> {
  const name = file.replaceAll('\\', '\\\\').replaceAll("'", "''")
  const sql = `SHOW BINLOG EVENTS IN '${name}' FROM ${offset} LIMIT 1`
  // A file that is gone cannot be looked at: that is the refusal's own reason then.
  const [next] = await connection.query(sql).catch(() => [])
  if (next?.Event_type !== ANONYMOUS) return refusal
  return new LandbridgeError(
    'ERR_SOURCE_ANONYMOUS',
    `the source wrote transactions without a GTID at ${offset} of ${file}, while its gtid_mode ` +
      'was not ON, and does not send them now that it is',
    {
      cause: refusal,
      remedy:
        'SET GLOBAL gtid_mode = ON_PERMISSIVE at the source: then the stream goes on by itself. ' +
        'Once nothing is exposed any more: SET GLOBAL gtid_mode = ON there. No replica gets past ' +
        'these transactions: after that, make the replica anew from a backup of the source.',
      details: { file, offset },
    },
  )
}

/** By GTID, which such a source does not offer, its files would be searched. */
export function refuseByGtid(gtidMode: string): LandbridgeError {
  return new LandbridgeError(
    'ERR_SOURCE_NO_GTID',
    `with gtid_mode=${gtidMode} the source does not say where what is held ends in its files`,
    { remedy: 'SET PERSIST gtid_mode = ON;' },
  )
}
