import type { Flavor } from '../../base/flavor.ts'
import { EventType } from '../../binlog/event-type.ts'
import { decodeMysqlGtidEvent } from '../../binlog/gtid-event.ts'
import { decodeMysqlGtidSet } from '../../binlog/mysql-gtid-set.ts'

/** As both servers name their events; source: `get_type_str` of log_event.cc. */
const NAMES: Readonly<Record<number, string>> = {
  2: 'Query',
  3: 'Stop',
  4: 'Rotate',
  5: 'Intvar',
  13: 'RAND',
  14: 'User var',
  15: 'Format_desc',
  16: 'Xid',
  17: 'Begin_load_query',
  18: 'Execute_load_query',
  19: 'Table_map',
  23: 'Write_rows_v1',
  24: 'Update_rows_v1',
  25: 'Delete_rows_v1',
  26: 'Incident',
  28: 'Ignorable',
  29: 'Rows_query',
  30: 'Write_rows',
  31: 'Update_rows',
  32: 'Delete_rows',
  33: 'Gtid',
  34: 'Anonymous_Gtid',
  35: 'Previous_gtids',
  36: 'Transaction_context',
  37: 'View_change',
  38: 'XA_prepare',
  39: 'Update_rows_partial',
  40: 'Transaction_payload',
  42: 'Gtid_tagged_log_event',
  160: 'Annotate_rows',
  161: 'Binlog_checkpoint',
  162: 'Gtid',
  163: 'Gtid_list',
  164: 'Start_encryption',
  165: 'Query_compressed',
  166: 'Write_rows_compressed_v1',
  167: 'Update_rows_compressed_v1',
  168: 'Delete_rows_compressed_v1',
  169: 'Write_rows_compressed',
  170: 'Update_rows_compressed',
  171: 'Delete_rows_compressed',
}

const VERSION_AT = 2
const VERSION_BYTES = 50
const STANDALONE = 1
const COMMIT_ID = 2
const QUERY_HEAD_BYTES = 13
/** In an event's flags: the database does not matter to its statement. */
const SUPPRESS_USE = 0x8

export function eventName(type: number): string {
  return NAMES[type] ?? 'Unknown'
}

/**
 * What SHOW BINLOG EVENTS says of an event, for people: empty for what takes more than a look.
 * `body` may be cut, and is then shown as far as it goes.
 */
export function eventInfo(
  flavor: Flavor,
  event: { readonly type: number; readonly flags: number; readonly serverId: number },
  body: Buffer,
): string {
  switch (event.type) {
    case EventType.FormatDescription: {
      const version = body.toString('latin1', VERSION_AT, VERSION_AT + VERSION_BYTES)
      return `Server ver: ${version.replace(/\0.*$/s, '')}, Binlog ver: ${body.readUInt16LE(0)}`
    }
    case EventType.Query:
      return queryInfo(body, (event.flags & SUPPRESS_USE) === 0)
    case EventType.Xid:
      return `COMMIT /* xid=${body.readBigUInt64LE(0)} */`
    case EventType.Rotate:
      return `${body.toString('utf8', 8)};pos=${body.readBigUInt64LE(0)}`
    case EventType.MariadbBinlogCheckpoint:
      return body.toString('utf8', 4)
    case EventType.MysqlGtid: {
      const { gtid } = decodeMysqlGtidEvent(body, false)
      return `SET @@SESSION.GTID_NEXT= '${gtid?.uuid}:${gtid?.number}'`
    }
    case EventType.MysqlAnonymousGtid:
      return "SET @@SESSION.GTID_NEXT= 'ANONYMOUS'"
    case EventType.MysqlPreviousGtids:
      return flavor === 'mysql' ? decodeMysqlGtidSet(body).toString().replaceAll(',', ',\n') : ''
    case EventType.MariadbGtid:
      return mariadbGtidInfo(body, event.serverId)
    case EventType.MariadbGtidList:
      return gtidListInfo(body)
    default:
      return ''
  }
}

/** Thread 4, time 4, length of the database 1, error 2, length of the variables 2. */
function queryInfo(body: Buffer, isUsed: boolean): string {
  const at = QUERY_HEAD_BYTES + body.readUInt16LE(11)
  const end = at + body.readUInt8(8)
  const database = body.toString('utf8', at, end)
  const statement = body.toString('utf8', end + 1)
  return isUsed && database !== '' ? `use \`${database}\`; ${statement}` : statement
}

/** Sequence 8, domain 4, flags 1, then perhaps the number of its group commit. */
function mariadbGtidInfo(body: Buffer, serverId: number): string {
  const flags = body.readUInt8(12)
  const gtid = `GTID ${body.readUInt32LE(8)}-${serverId}-${body.readBigUInt64LE(0)}`
  const group = (flags & COMMIT_ID) === 0 ? '' : ` cid=${body.readBigUInt64LE(13)}`
  return `${(flags & STANDALONE) === 0 ? 'BEGIN ' : ''}${gtid}${group}`
}

/**
 * Count 4 (its top four bits are flags), then domain 4, server 4, sequence 8 of each. Servers show
 * them by domain.
 */
function gtidListInfo(body: Buffer): string {
  const count = Math.min(body.readUInt32LE(0) & 0x0fff_ffff, Math.floor((body.length - 4) / 16))
  const list = Array.from({ length: count }, (_, index) => {
    const at = 4 + 16 * index
    const [domain, server] = [body.readUInt32LE(at), body.readUInt32LE(at + 4)]
    return { domain, text: `${domain}-${server}-${body.readBigUInt64LE(at + 8)}` }
  })
  list.sort((left, right) => left.domain - right.domain)
  return `[${list.map(({ text }) => text).join(',')}]`
}
