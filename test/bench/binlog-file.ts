import { compareBinlogNames } from '../../src/binlog/binlog-name.ts'

export interface BinlogFile {
  readonly name: string
  readonly bytes: number
}

/** Whether all of `last` is reached; the file behind it may have been begun by then. */
export function isBehind(at: { readonly file: string; readonly offset: number }, last: BinlogFile) {
  if (at.file === last.name) return at.offset >= last.bytes
  return (compareBinlogNames(at.file, last.name) ?? -1) > 0
}
