import type { RowDataPacket } from 'mysql2/promise'
import type { Flavor } from '../../base/flavor.ts'
import { connectSql } from '../servers/sql-connection.ts'

/** Where the source's binlog ends at a moment, and what has been committed up to there. */
export interface SourcePosition {
  readonly file: string
  readonly offset: number
  readonly gtids: string
}

export async function readSourcePosition(flavor: Flavor, socket: string): Promise<SourcePosition> {
  const connection = await connectSql({ socket })
  try {
    const status = flavor === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS'
    const variable = flavor === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos'
    const [[row]] = await connection.query<RowDataPacket[]>(status)
    const [[set]] = await connection.query<RowDataPacket[]>(`SELECT @@GLOBAL.${variable} AS gtids`)
    return { file: String(row?.File), offset: Number(row?.Position), gtids: String(set?.gtids) }
  } finally {
    await connection.end()
  }
}

/** Whether `held` is at or behind `wanted`; a file that begins has all before it. */
export function reaches(
  held: { readonly file: string | null; readonly offset: number | null },
  wanted: { readonly file: string; readonly offset: number },
): boolean {
  if (held.file === null || held.offset === null) return false
  const [here, there] = [numberOf(held.file), numberOf(wanted.file)]
  return here === there ? held.offset >= wanted.offset : here > there
}

function numberOf(file: string): number {
  return Number(file.slice(file.lastIndexOf('.') + 1))
}
