import { readAt } from '../../base/disk.ts'
import { LandbridgeError } from '../../base/errors.ts'
import {
  BINLOG_MAGIC,
  EVENT_CHECKSUM_BYTES,
  EVENT_HEADER_BYTES,
  EventType,
} from '../../binlog/event-type.ts'
import type { LogFile, SourceIdentity } from '../../binlog/log.ts'
import {
  type MariadbGtid,
  type MariadbGtidState,
  parseMariadbGtidState,
} from '../../binlog/mariadb-gtid-state.ts'
import { decodeMysqlGtidSet, parseMysqlGtidSet } from '../../binlog/mysql-gtid-set.ts'
import { shortGtids } from '../../binlog/short-gtids.ts'
import type { ServedLog } from '../served-log.ts'
import { refuseBehindAnonymous } from './anonymous-tail.ts'
import {
  type DumpFilter,
  MariadbDumpFilter,
  MysqlDumpFilter,
  sendAll,
  unknownPosition,
} from './dump-filter.ts'
import { dumpRefusal } from './dump-refusal.ts'
import type { DumpUntil } from './dump-until.ts'
import { newestReached } from './newest-reached.ts'

/** Where a dump begins and what it leaves out. */
export interface DumpStart {
  readonly file: LogFile
  readonly offset: number
  readonly filter: DumpFilter
  /** The replica has something of this file already and must keep its temporary tables. */
  readonly clearCreated: boolean
}

const HEAD_BYTES = 64 * 1024
const GTID_LIST_BYTES_MAX = 16 * 1024 * 1024

/** What the source itself says; null: it has not said, or there is none. */
export interface AtSource {
  /** All that it has executed. */
  readonly gtids: string | null
  /** What of it none of its binary logs has: it never comes here. */
  readonly unlogged: string | null
}

export const SOURCE_UNHEARD: AtSource = { gtids: null, unlogged: null }

/**
 * MySQL: the newest file before which the replica has everything, or the file that it names.
 * Null when what the replica has is on its way from the source (a spool that began anew): it is to
 * try again.
 * Throws ERR_DUMP_REFUSED.
 */
export async function startByMysqlSet(
  store: ServedLog,
  source: SourceIdentity,
  wanted: {
    readonly gtids: Buffer | null
    readonly file: string
    readonly position: bigint
  },
  atSource: AtSource,
): Promise<DumpStart | null> {
  const held = decodeMysqlGtidSet(wanted.gtids ?? Buffer.alloc(8))
  if (wanted.file !== '') {
    const start = await startByPosition(store, wanted.file, wanted.position)
    return { ...start, filter: new MysqlDumpFilter(held) }
  }
  const stored = parseMysqlGtidSet(store.gtids())
  const own = source.serverUuid === null ? held : held.onlyOf(source.serverUuid)
  const ahead = own.minus(parseMysqlGtidSet(atSource.unlogged ?? ''))
  if (!stored.contains(ahead)) {
    const { gtids } = atSource
    if (gtids !== null && parseMysqlGtidSet(gtids).contains(ahead)) return null
    throw dumpRefusal(
      `the replica has transactions of the source that are not stored here: ` +
        `${shortGtids(ahead.missingFrom(stored))}. It ran ahead of this relay or has diverged`,
    )
  }
  const purged = parseMysqlGtidSet(store.purgedGtids())
  if (!held.contains(purged)) {
    throw dumpRefusal(
      `the stored binlog begins after transactions that the replica lacks: ` +
        `${shortGtids(purged.missingFrom(held))}. Restore the replica from a newer backup`,
    )
  }
  const file = newestReached(store.files(), ({ gtidsBefore }) =>
    held.contains(parseMysqlGtidSet(gtidsBefore)),
  )
  if (file === undefined) {
    throw dumpRefusal('no stored binlog file goes back far enough for this replica')
  }
  // Something from here on is left out if the replica lacks less than all of it.
  const after = stored.minus(parseMysqlGtidSet(file.gtidsBefore))
  const clearCreated = after.countMissingFrom(held) < after.count()
  if (!clearCreated) await refuseBehindAnonymous(store, file)
  return { file, offset: BINLOG_MAGIC.length, filter: new MysqlDumpFilter(held), clearCreated }
}

/**
 * MariaDB: the newest file that still holds, for every domain, the first transaction that the
 * replica lacks. The file's own list of GTIDs decides, because it names every server of a domain.
 * Null when that list, or what the replica has, is still to come: the replica is to try again.
 */
export async function startByMariadbState(
  store: ServedLog,
  options: {
    readonly connectState: string
    readonly strict: boolean
    readonly atSource: AtSource
    readonly until: DumpUntil | null
    /** It may have got transactions on another way, before this source has them. */
    readonly ignoreDuplicates: boolean
  },
): Promise<DumpStart | null> {
  const { until, ignoreDuplicates } = options
  const start = parseMariadbGtidState(options.connectState)
  const stored = parseMariadbGtidState(store.gtids())
  const ended = new Set<number>()
  for (const unknown of findUnknown(stored, start)) {
    if (until !== null && endsBefore(until, stored, unknown.domainId)) {
      ended.add(unknown.domainId)
      continue
    }
    const newest = stored.last(unknown.domainId)?.sequence ?? 0n
    if (ignoreDuplicates && newest < unknown.sequence) continue
    const atSource = parseMariadbGtidState(options.atSource.gtids ?? '').last(unknown.domainId)
    if (atSource !== undefined && atSource.sequence >= unknown.sequence) return null
    throw unknownPosition(unknown)
  }
  const files = store.files()
  for (const [index, file] of [...files.entries()].toReversed()) {
    const list = await readGtidList(store, file)
    // An unread list is no empty one: only files before this one may be judged.
    if (list === null || !startsBefore(start, list)) continue
    if (!standsOn(start, store, file, files[index - 1])) continue
    for (const { domainId, serverId, sequence } of list) {
      const wanted = start.last(domainId)
      // It stands right before the first transaction of this file: nothing to leave out.
      if (wanted?.serverId === serverId && wanted.sequence === sequence) {
        start.removeDomain(domainId)
      }
      if (until?.isCoveredBy({ domainId, serverId, sequence })) until.giveUp(domainId)
    }
    for (const domainId of ended) start.removeDomain(domainId)
    const filter = new MariadbDumpFilter({
      start,
      strict: options.strict,
      stored: () => parseMariadbGtidState(store.gtids()),
      known: stored,
      until,
    })
    const clearCreated = start.size > 0
    return { file, offset: BINLOG_MAGIC.length, filter, clearCreated }
  }
  if (await isListToCome(store)) return null
  throw dumpRefusal(
    `the stored binlog begins after ${shortGtids(options.connectState) || 'the empty position'}, ` +
      'where the replica stands. Restore the replica from a newer backup',
  )
}

/** Places behind all that is stored of their domain. */
function findUnknown(stored: MariadbGtidState, start: MariadbGtidState): MariadbGtid[] {
  return start.position().filter((gtid) => {
    const newest = stored.last(gtid.domainId)
    if (newest === undefined) return false
    const ofServer = stored.lastOf(gtid.domainId, gtid.serverId)
    // A server that the position does not name may still be in the files; the filter finds out.
    return newest.sequence < gtid.sequence || (ofServer !== undefined && ofServer < gtid.sequence)
  })
}

/** Whether the dump ends before the replica's own place in a domain, which then does not matter. */
function endsBefore(until: DumpUntil, stored: MariadbGtidState, domainId: number): boolean {
  const place = until.placeIn(domainId)
  if (place === undefined) return true
  const newest = stored.lastOf(domainId, place.serverId)
  if (newest === undefined || newest < place.sequence) return false
  until.giveUp(domainId)
  return true
}

/** Whether nothing that the replica lacks lies before the file that begins with `list`. */
function startsBefore(start: MariadbGtidState, list: readonly MariadbGtid[]): boolean {
  return list.every((listed, index) => {
    const wanted = start.last(listed.domainId)
    if (wanted === undefined) return false
    if (wanted.serverId !== listed.serverId || wanted.sequence > listed.sequence) return true
    // The list is sorted by domain with the newest last: only that one may be the start itself.
    const isNewest = list[index + 1]?.domainId !== listed.domainId
    return wanted.sequence === listed.sequence && isNewest
  })
}

/**
 * Whether the replica has what was counted before `file` too. Where an epoch begins, the epoch says
 * what its transactions stand on: a source that took over may never have logged what came before,
 * and its list of GTIDs does not say so.
 */
function standsOn(
  start: MariadbGtidState,
  store: ServedLog,
  file: LogFile,
  previous?: LogFile,
): boolean {
  if (previous === undefined) return true
  if (previous.epoch === file.epoch) {
    return startsBefore(start, [...parseMariadbGtidState(file.gtidsBefore).all()])
  }
  return start.contains(parseMariadbGtidState(store.gtidsBeforeEpoch(file.epoch)))
}

/** With a single file, its first events may not be stored yet. */
async function isListToCome(store: ServedLog): Promise<boolean> {
  const [oldest] = store.files()
  if (oldest === undefined) return true
  if (store.end()?.ordinal !== oldest.ordinal) return false
  return (await readGtidList(store, oldest)) === null
}

/** Null when the file has none, or not yet: the format description may be all that is stored. */
async function readGtidList(store: ServedLog, file: LogFile): Promise<MariadbGtid[] | null> {
  const handle = await store.open(file)
  try {
    const head = await readAt(handle, 0, Math.min(HEAD_BYTES, store.readableBytes(file)))
    let at = BINLOG_MAGIC.length
    while (head.length - at >= EVENT_HEADER_BYTES) {
      const size = head.readUInt32LE(at + 9)
      if (size < EVENT_HEADER_BYTES || at + size > store.readableBytes(file)) break
      if (head[at + 4] === EventType.MariadbGtidList && size <= GTID_LIST_BYTES_MAX) {
        return decodeGtidList(await readAt(handle, at, size))
      }
      if (head[at + 4] === EventType.MariadbGtid) break
      at += size
    }
    return null
  } finally {
    await handle.close()
  }
}

function decodeGtidList(event: Buffer): MariadbGtid[] {
  const body = event.subarray(EVENT_HEADER_BYTES)
  const count = body.length < 4 ? 0 : body.readUInt32LE(0) & 0x0fff_ffff
  if (count > (body.length - 4) >>> 4) {
    throw new LandbridgeError('ERR_SPOOL_FILE', 'a stored list of GTIDs is cut')
  }
  return Array.from({ length: count }, (_, index) => {
    const at = 4 + index * 16
    return {
      domainId: body.readUInt32LE(at),
      serverId: body.readUInt32LE(at + 4),
      sequence: body.readBigUInt64LE(at + 8),
    }
  })
}

/** A file and position by name, as `mysqlbinlog` asks for. Of equal names the newest is meant. */
export async function startByPosition(
  store: ServedLog,
  name: string,
  position: bigint,
): Promise<DumpStart> {
  const files = store.files().filter((file) => name === '' || file.name === name)
  const file = name === '' ? files[0] : files.at(-1)
  if (file === undefined) throw dumpRefusal(`there is no stored binlog file ${name}`)
  const offset = Number(position)
  if (!(await isEventStart(store, file, offset))) {
    throw dumpRefusal(`no event begins at position ${position} of ${file.name}`)
  }
  return { file, offset, filter: sendAll, clearCreated: offset > BINLOG_MAGIC.length }
}

/** Walks over the headers up to `offset`: bytes from the middle of an event must not go out. */
async function isEventStart(store: ServedLog, file: LogFile, offset: number): Promise<boolean> {
  const end = store.readableBytes(file)
  if (offset < BINLOG_MAGIC.length || offset > end) return false
  const handle = await store.open(file)
  try {
    let at = BINLOG_MAGIC.length
    while (at < offset) {
      const window = await readAt(handle, at, Math.min(HEAD_BYTES, end - at))
      const from = at
      while (
        at < offset &&
        at - from + EVENT_HEADER_BYTES + EVENT_CHECKSUM_BYTES <= window.length
      ) {
        const size = window.readUInt32LE(at - from + 9)
        if (size < EVENT_HEADER_BYTES) return false
        at += size
      }
      if (at === from) return false
    }
    return at === offset
  } finally {
    await handle.close()
  }
}
