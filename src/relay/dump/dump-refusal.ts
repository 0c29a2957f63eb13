import { LandbridgeError } from '../../base/errors.ts'

/** Ends a dump with ERR 1236, at which a replica stops and shows `message` to people. */
export function dumpRefusal(message: string): LandbridgeError {
  return new LandbridgeError('ERR_DUMP_REFUSED', message)
}

/** MySQL transactions that were written while gtid_mode was not ON: `where` says which. */
export function anonymousRefusal(where: string): LandbridgeError {
  return dumpRefusal(
    `the source wrote transactions without a GTID ${where} (gtid_mode was not ON). Make the ` +
      'replica anew from a backup that the source gives after gtid_mode is ON again and one more ' +
      'transaction is written',
  )
}
