import { LandbridgeError } from '../base/errors.ts'
import { type Flavor, otherFlavor } from '../base/flavor.ts'
import { baseOf, numberOf } from '../binlog/binlog-name.ts'
import { parseGtidSet } from '../binlog/gtid-set.ts'
import {
  formatMariadbGtid,
  type MariadbGtid,
  parseMariadbGtidState,
} from '../binlog/mariadb-gtid-state.ts'
import { parseMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'
import type { SourceFacts } from './source-facts.ts'

/** What the receiver holds, as it said on resume. */
export interface HeldState {
  readonly source: {
    readonly flavor: Flavor
    readonly serverId: number
    readonly serverUuid: string | null
  }
  /** Null, and `offset` too, of a source whose log is one sequence without files. */
  readonly file: string | null
  readonly offset: number | null
  readonly complete: boolean
  readonly gtids: string
  /** Of the first event of `file` and of the newest one held; unknown to older receivers. */
  readonly firstTimestamp?: number | undefined
  readonly lastTimestamp?: number | undefined
}

/** One that names the file in which it ends. */
export type HeldPlace = HeldState & { readonly file: string; readonly offset: number }

/** Throws ERR_SOURCE_PLACE: nothing here reads sources without files yet. */
export function requirePlace(held: HeldState | null): HeldPlace | null {
  if (held === null) return null
  const { file, offset } = held
  if (file !== null && offset !== null) return { ...held, file, offset }
  throw new LandbridgeError(
    'ERR_SOURCE_PLACE',
    'the receiver names no file in which its spool ends: that is of a source without files',
    {
      remedy:
        'Let the source write its binary log into files (MariaDB: no binlog_storage_engine), or ' +
        'run a version of landbridge here that reads it by GTID alone.',
    },
  )
}

export interface StartPlan {
  /** What is asked of the source: everything but these. */
  readonly gtids: string
  /** Where the receiver's bytes go on; null: wherever the source begins. */
  readonly expect: { readonly file: string; readonly offset: number } | null
  /** Set when the receiver must begin a new epoch; `breaksLineage`: which forgets all before. */
  readonly newEpoch: { readonly reason: string; readonly breaksLineage: boolean } | null
}

/**
 * Decides how to go on, from what the receiver holds and what the source has. Pure.
 * Throws ERR_SOURCE_PURGED, ERR_SOURCE_DIVERGED or ERR_SPOOL_FLAVOR, which a person must resolve.
 */
export function planStart(
  held: HeldPlace | null,
  facts: SourceFacts,
  times: FileTimes = NO_TIMES,
): StartPlan {
  if (held === null) return fromPurged(facts, 'first start', false)
  if (held.source.flavor !== facts.flavor) {
    throw otherFlavor('the spool', held.source.flavor, facts.flavor)
  }
  const diverged = divergence(held, facts, times)
  if (diverged !== null && isReset(held, facts, times)) {
    const at = new Date(Number(times.oldest) * 1000).toISOString()
    return fromPurged(facts, `the source was reset at ${at}, by its own clock`, true)
  }
  const gtids = gtidsToAskWith(held, facts, times)
  if (diverged !== null) throw diverged
  const changed = lineageChange(held, facts)
  if (changed !== null) {
    const newEpoch = { reason: changed, breaksLineage: false }
    return { gtids, expect: null, newEpoch }
  }
  return { gtids, expect: nextByte(held, facts), newEpoch: null }
}

/** When the source began files of its, by their first events: seconds since 1970, its own clock. */
export interface FileTimes {
  /** The oldest file that the source has; null when it was not looked at. */
  readonly oldest: number | null
  /** The file that is named like the one that the spool ends in; null when not looked at. */
  readonly held: number | null
}

const NO_TIMES: FileTimes = { oldest: null, held: null }

/** As on a first start: everything that the source still has. */
function fromPurged(facts: SourceFacts, reason: string, breaksLineage: boolean): StartPlan {
  return { gtids: facts.purgedGtids, expect: null, newEpoch: { reason, breaksLineage } }
}

/** What the spool holds and the source does not have (any more); null while there is nothing. */
export function divergence(
  held: HeldPlace,
  facts: SourceFacts,
  times: FileTimes,
): LandbridgeError | null {
  return (
    extraGtids(held, facts, times) ?? missingBytes(held, facts) ?? otherFile(held, facts, times)
  )
}

/**
 * Whether the source was reset (RESET BINARY LOGS AND GTIDS, RESET MASTER), for certain. Then all
 * its files are younger than what is held, though nothing was before the oldest of them. A source
 * that lost its newest transactions in a crash, or was restored from a copy, still has an older
 * file, or says that its oldest file stands on transactions that are held. Events have whole
 * seconds: in the one of the newest held event only a file begun after the held one is younger.
 */
function isReset(held: HeldPlace, facts: SourceFacts, { oldest }: FileTimes): boolean {
  const { firstTimestamp, lastTimestamp } = held
  if (oldest === null || firstTimestamp === undefined || lastTimestamp === undefined) return false
  if (!isSameServer(held, facts) || oldest < lastTimestamp || oldest <= firstTimestamp) return false
  return isApart(facts.flavor, facts.purgedGtids, held.gtids)
}

/** Whether no transaction is in both. */
function isApart(flavor: Flavor, left: string, right: string): boolean {
  if (left === '' || right === '') return true
  if (flavor === 'mysql') {
    const set = parseMysqlGtidSet(left)
    return set.minus(parseMysqlGtidSet(right)).toString() === set.toString()
  }
  // A state says the newest of each server, and means all before it too.
  const state = parseMariadbGtidState(right)
  return [...parseMariadbGtidState(left).all()].every(({ domainId, serverId }) => {
    return state.lastOf(domainId, serverId) === undefined
  })
}

/** Null while the source's files are the ones that the spool holds. */
function lineageChange(held: HeldPlace, facts: SourceFacts): string | null {
  if (!isSameServer(held, facts)) {
    const { serverUuid, serverId } = held.source
    return `the source is another server than ${serverUuid ?? serverId}`
  }
  const at = facts.files.findIndex((file) => file.name === held.file)
  const [oldest] = facts.files
  if (at < 0 && oldest !== undefined && baseOf(oldest.name) !== baseOf(held.file)) {
    return `the source's files are no longer named like ${held.file}`
  }
  return null
}

function nextByte(held: HeldPlace, facts: SourceFacts): StartPlan['expect'] {
  const at = facts.files.findIndex((file) => file.name === held.file)
  // Purged meanwhile, with nothing lost: go on with the oldest file that is there.
  const next = at < 0 ? facts.files[0] : facts.files[at + 1]
  if (at >= 0 && !held.complete) return { file: held.file, offset: held.offset }
  if (next !== undefined) return { file: next.name, offset: 0 }
  throw new LandbridgeError(
    'ERR_SOURCE_ROTATING',
    `the source has closed ${held.file} and not begun the file after it`,
    { retryable: true },
  )
}

/**
 * What is held. On MySQL also what somebody added to `gtid_purged` at the running source: as long
 * as the source has the very file that the spool ends in, all that it wrote from there on is there,
 * and all before is held. So what is missing was never written, and there is nothing to wait for.
 */
function gtidsToAskWith(held: HeldPlace, facts: SourceFacts, times: FileTimes): string {
  const gtids = parseGtidSet(facts.flavor, held.gtids)
  const purged = parseGtidSet(facts.flavor, facts.purgedGtids)
  const missing = purged.missingFrom(gtids)
  if (missing === '') return held.gtids
  if (facts.flavor === 'mysql' && hasHeldFile(held, facts, times)) {
    gtids.addSet(purged)
    return gtids.toString()
  }
  throw new LandbridgeError(
    'ERR_SOURCE_PURGED',
    `the source has purged transactions that the spool lacks: ${shorten(missing)}`,
    {
      remedy:
        'Reseed the replica from a backup taken after them, then start with a new spool' +
        ' directory; raise the source’s binlog retention so that it covers the longest outage.' +
        (facts.flavor === 'mysql'
          ? ' If they were only added to gtid_purged there, and the replica has their data: the ' +
            'same SET GLOBAL gtid_purged at the replica does instead of reseeding it.'
          : ''),
      details: { missing },
    },
  )
}

/** Whether the source has the file that the spool ends in, up to there and for certain that one. */
function hasHeldFile(held: HeldPlace, facts: SourceFacts, times: FileTimes): boolean {
  const { file, firstTimestamp = 0 } = held
  const isThere = facts.files.some(({ name }) => name === file)
  const isThatOne = firstTimestamp !== 0 && times.held === firstTimestamp
  return isSameServer(held, facts) && isThere && isThatOne && missingBytes(held, facts) === null
}

function extraGtids(held: HeldPlace, facts: SourceFacts, times: FileTimes): LandbridgeError | null {
  const { flavor } = facts
  const extra = flavor === 'mysql' ? mysqlExtra(held, facts) : mariadbExtra(held, facts, times)
  if (extra === '') return null
  return new LandbridgeError(
    'ERR_SOURCE_DIVERGED',
    `the spool holds transactions that the source never had: ${shorten(extra)}`,
    {
      remedy:
        'The source lost transactions, or this is another source. If it is the right one,' +
        ' reseed the replica from it and start with a new spool directory.',
      details: { extra },
    },
  )
}

function mysqlExtra(held: HeldPlace, facts: SourceFacts): string {
  return parseMysqlGtidSet(held.gtids).missingFrom(parseMysqlGtidSet(facts.executedGtids))
}

/**
 * A higher number in the domain is no proof: another server may have given it to a history of its
 * own. What counts is that the source logged as far of the server that made the held transaction,
 * or, made from a backup, stands right behind it. MariaDB asks the same of a replica. A domain that
 * is named nowhere was deleted (FLUSH BINARY LOGS DELETE_DOMAIN_ID), where the files go on as held.
 */
function mariadbExtra(held: HeldPlace, facts: SourceFacts, times: FileTimes): string {
  const goesOn = filesGoOn(held, facts, times)
  const logged = parseMariadbGtidState(facts.executedGtids)
  const replicated = parseMariadbGtidState(facts.replicatedGtids)
  const isUnknown = (gtid: MariadbGtid): boolean => {
    const last = logged.lastOf(gtid.domainId, gtid.serverId)
    if (last !== undefined && last >= gtid.sequence) return false
    if (goesOn && logged.last(gtid.domainId) === undefined) return false
    const stand = replicated.last(gtid.domainId)
    return stand?.serverId !== gtid.serverId || stand.sequence !== gtid.sequence
  }
  const unknown = parseMariadbGtidState(held.gtids).position().filter(isUnknown)
  return unknown.map(formatMariadbGtid).join(',')
}

/** Whether the source has, for certain, all that it had when it wrote what is held. */
function filesGoOn(held: HeldPlace, facts: SourceFacts, times: FileTimes): boolean {
  if (!isSameServer(held, facts) || missingBytes(held, facts) !== null) return false
  const isThere = facts.files.some(({ name }) => name === held.file)
  return !isThere || (times.held !== null && times.held === held.firstTimestamp)
}

/**
 * The same server with fewer bytes than it once had: a crash cost it what a copy holds, or it was
 * reset. New transactions may carry the GTIDs of the lost ones, so GTIDs cannot tell.
 */
function missingBytes(held: HeldPlace, facts: SourceFacts): LandbridgeError | null {
  if (!isSameServer(held, facts)) return null
  const file = facts.files.find(({ name }) => name === held.file)
  const [oldest] = facts.files
  const isGone =
    file === undefined &&
    oldest !== undefined &&
    baseOf(oldest.name) === baseOf(held.file) &&
    numberOf(oldest.name) <= numberOf(held.file)
  if (!isGone && (file === undefined || file.bytes >= held.offset)) return null
  const has = file === undefined ? 'no such file' : `${file.bytes} bytes of it`
  return lostBytes(
    held,
    `the spool holds ${held.offset} bytes of ${held.file}, the source has ${has}`,
  )
}

/**
 * The same server has a file of this name, but began it at another time than the one that is held:
 * after a reset names and GTIDs come again, and more of both than before look like a sound source.
 */
function otherFile(held: HeldPlace, facts: SourceFacts, times: FileTimes): LandbridgeError | null {
  const { file, firstTimestamp = 0 } = held
  if (times.held === null || firstTimestamp === 0 || !isSameServer(held, facts)) return null
  if (times.held === firstTimestamp) return null
  return lostBytes(held, `the source began ${file} at another time than the file of the spool`)
}

function lostBytes(held: HeldPlace, message: string): LandbridgeError {
  const { file, offset } = held
  return new LandbridgeError('ERR_SOURCE_DIVERGED', message, {
    remedy:
      'The source lost what a copy holds (a crash with sync_binlog other than 1), or was reset.' +
      ' Compare both, then reseed the replica and start with a new spool directory.',
    details: { file, offset },
  })
}

export function isSameServer(held: HeldPlace, facts: SourceFacts): boolean {
  return facts.flavor === 'mysql'
    ? held.source.serverUuid === facts.serverUuid
    : held.source.serverId === facts.serverId
}

export function shorten(gtids: string): string {
  return gtids.length <= 300 ? gtids : `${gtids.slice(0, 300)}… (${gtids.length} characters)`
}

/**
 * Whether a dump can go on inside a file by GTID. MySQL then falsifies the first file after a
 * restart (see DumpDecoder), so only the newest file, behind which there is none, is resumed so.
 * With another `gtid_mode` than ON it sends nothing by GTID.
 */
export function resumesByGtid(expect: StartPlan['expect'], facts: SourceFacts): boolean {
  if (facts.flavor !== 'mysql' || expect === null) return true
  if (facts.gtidMode !== 'ON') return false
  return facts.files.at(-1)?.name === expect.file
}
