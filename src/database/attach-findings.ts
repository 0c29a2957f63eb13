import {
  type MariadbGtid,
  type MariadbGtidState,
  parseMariadbGtidState,
} from '../binlog/mariadb-gtid-state.ts'
import { parseMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'
import { shortGtids } from '../binlog/short-gtids.ts'
import { replicaKey } from '../mysql/replica-name.ts'
import { isRefused, standingReason, standingRemedy } from '../status/replica-standing.ts'
import type { AttachTarget } from './attach-statements.ts'
import { describeConnection, type ReplicaConnection } from './replica-connection.ts'
import type { RelayFacts, ReplicaFacts } from './replica-facts.ts'
import { FILTER_REMEDY, isClearable } from './replica-filters.ts'

/** Something that speaks against a replica, or that a person should know of it. */
export interface Finding {
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly remedy: string
}

/** What speaks against a replica of this relay, whatever it follows now. */
export function replicaFindings(replica: ReplicaFacts, relay: RelayFacts | null): Finding[] {
  const findings: Finding[] = [...setupFindings(replica)]
  findings.push(...otherSourcesFindings(replica))
  if (relay !== null) findings.push(...relayFindings(replica, relay))
  return findings
}

/** `seconds`: how late it applies on purpose. */
export function* delayFindings(seconds: number): Generator<Finding> {
  if (seconds === 0) return
  yield {
    severity: 'warning',
    message: `the replica applies ${seconds} seconds late on purpose`,
    remedy:
      'a failover has to wait for that, or end it first: `landbridge replica attach --delay 0`',
  }
}

/** Filters of the connection of that name, which may be still to come; null when not visible. */
export function connectionFilters(replica: ReplicaFacts, name: string): readonly string[] | null {
  const { flavor, following, others, newFilters } = replica
  const present = following ?? others.find((other) => other.name === name)
  if (present !== undefined) return present.filters
  // MariaDB's global settings are those of the connection without a name.
  return flavor === 'mariadb' && name !== '' ? [] : newFilters
}

/** What becomes of the filters of the connection. */
export type FilterChoice = 'refuse' | 'accept' | 'clear'

export function* filterFindings(
  replica: ReplicaFacts,
  name: string,
  choice: FilterChoice = 'refuse',
): Generator<Finding> {
  const own = connectionFilters(replica, name)
  if (own === null) {
    yield {
      severity: 'warning',
      message: 'whether the replica would leave out data cannot be seen with this login',
      remedy: 'grant it SELECT ON performance_schema.*',
    }
  }
  const cleared = choice === 'clear' ? (own ?? []).filter(isClearable) : []
  if (cleared.length > 0) yield clearedFinding(cleared)
  const filters = [...(own ?? []), ...replica.filters].filter((one) => !cleared.includes(one))
  if (filters.length === 0) return
  const options = filters.some(isClearable)
    ? '--clear-filters, if nothing is missing; or --accept-filters, if it is not there to take over'
    : '--accept-filters, if it is not there to take over'
  yield {
    severity: choice === 'accept' ? 'warning' : 'error',
    message: `the replica leaves out data, and cannot take over: ${filters.join(', ')}`,
    remedy: `${FILTER_REMEDY} Or use ${options}.`,
  }
}

function clearedFinding(filters: readonly string[]): Finding {
  return {
    severity: 'warning',
    message: `the replica left out data until now: ${filters.join(', ')}`,
    remedy:
      'that is taken back; take it out of the configuration file too. What was left out of this ' +
      'source is missing for good: then restore the replica from a backup of the source',
  }
}

export function inTheWayFinding(other: ReplicaConnection): Finding {
  return error(
    `the replica follows ${describeConnection(other)}`,
    'use --replace if it is to follow this relay instead, or --channel NAME to follow both',
  )
}

export function* verificationFindings({ caPath, isNamed, host }: AttachTarget): Generator<Finding> {
  if (caPath === null) {
    yield {
      severity: 'warning',
      message: 'the replica will not verify the relay: anybody on the way can pose as it',
      remedy:
        "copy certs/ca.crt to the replica's machine, readable for its server, and attach again " +
        'with --relay-ca PATH-THERE',
    }
  } else if (!isNamed(host)) {
    yield {
      severity: 'warning',
      message: `the relay's certificate does not name ${host}: only who signed it is verified`,
      remedy: 'give relay.certificate one that names it, or --relay-host one of its names',
    }
  }
}

function* setupFindings(replica: ReplicaFacts): Generator<Finding> {
  if (replica.serverId === 0) {
    yield error('the replica has server_id 0', 'set server_id to a number of its own')
  }
  if (replica.gtidMode !== 'ON') {
    yield error(
      `the replica has gtid_mode=${replica.gtidMode}`,
      'SET GLOBAL enforce_gtid_consistency=ON; then raise gtid_mode step by step to ON',
    )
  }
  if (replica.insistsOnCompression) {
    yield error(
      'the replica has replica_compressed_protocol=ON: it could not connect to a relay',
      'SET GLOBAL replica_compressed_protocol=OFF, and take it out of its configuration file',
    )
  }
  if (!replica.isReadOnly) {
    yield {
      severity: 'warning',
      message: 'the replica takes writes from anybody: it can diverge',
      remedy: `SET GLOBAL ${replica.flavor === 'mysql' ? 'super_read_only' : 'read_only'}=ON`,
    }
  }
}

function* otherSourcesFindings({ others }: ReplicaFacts): Generator<Finding> {
  if (others.length === 0) return
  const names = others.map(describeConnection).join(', ')
  yield {
    severity: 'warning',
    message: `the replica follows other sources besides: ${names}`,
    remedy: 'nothing is changed there; their data are not what this source has',
  }
}

function* relayFindings(replica: ReplicaFacts, relay: RelayFacts): Generator<Finding> {
  if (replica.flavor !== relay.flavor) {
    yield error(
      `the replica is ${replica.flavor}, the source ${relay.flavor}`,
      'use a replica of the same family as the source',
    )
    return
  }
  const ids = [relay.serverId, relay.sourceServerId]
  if (ids.includes(replica.serverId)) {
    yield error(
      `the replica has server_id ${replica.serverId}, as the source or the relay has`,
      'SET GLOBAL server_id to another number: it would ignore every event',
    )
  }
  const uuids = [relay.serverUuid, relay.sourceServerUuid]
  if (replica.serverUuid !== null && uuids.includes(replica.serverUuid)) {
    yield error(
      "the replica has the source's server_uuid",
      'stop it, remove auto.cnf from its data directory, start it',
    )
  }
  yield* lineageFindings(replica, relay)
  if (replica.flavor === 'mysql') yield* mysqlGtidFindings(replica, relay)
  else yield* mariadbGtidFindings(replica, relay)
}

function* lineageFindings(replica: ReplicaFacts, relay: RelayFacts): Generator<Finding> {
  const { standing, resetAt } = relay
  if (resetAt === null) return
  const reset = `the source was reset (noticed ${resetAt})`
  if (isRefused(standing)) {
    yield error(
      `${reset}, and ${standingReason(standing)}`,
      standingRemedy(replicaKey(replica), standing),
    )
  } else if (standing === 'unseen' && replica.gtids !== '') {
    yield {
      severity: 'warning',
      message: `${reset}: GTIDs cannot tell whether a replica has the data of before`,
      remedy: 'attach it only if it was restored from a backup taken after that',
    }
  }
}

function* mysqlGtidFindings(replica: ReplicaFacts, relay: RelayFacts): Generator<Finding> {
  const has = parseMysqlGtidSet(replica.gtids)
  const stored = parseMysqlGtidSet(relay.gtids)
  yield* lostFindings(parseMysqlGtidSet(relay.purgedGtids).missingFrom(has))
  const ofSource = relay.sourceServerUuid === null ? has : has.onlyOf(relay.sourceServerUuid)
  const ahead = ofSource.minus(stored)
  if (!ahead.isEmpty()) {
    yield error(
      `the replica has transactions of the source that are not stored: ${shortGtids(`${ahead}`)}`,
      'wait until the relay has caught up; if it has, the replica has diverged: restore it',
    )
  }
  const errant = has.minus(stored).minus(ahead)
  if (!errant.isEmpty()) {
    yield {
      severity: 'warning',
      message: `the replica has transactions of its own: ${shortGtids(`${errant}`)}`,
      remedy: 'find out what they did; after a failover they would surprise other replicas',
    }
  }
}

function* mariadbGtidFindings(replica: ReplicaFacts, relay: RelayFacts): Generator<Finding> {
  const has = parseMariadbGtidState(replica.gtids)
  const stored = parseMariadbGtidState(relay.gtids)
  yield* lostFindings(parseMariadbGtidState(relay.purgedGtids).missingFrom(has))
  const ahead = has.position().filter((gtid) => isAhead(gtid, stored))
  if (ahead.length > 0) {
    const names = ahead.map(({ domainId, serverId, sequence }) => [domainId, serverId, sequence])
    const text = names.map((parts) => parts.join('-')).join(',')
    yield error(
      `the replica stands at ${shortGtids(text)}, which is not stored`,
      'wait until the relay has caught up; if it has, the replica has diverged: restore it',
    )
  }
}

/** As the relay judges it: a domain that it has nothing of comes from elsewhere. */
function isAhead(gtid: MariadbGtid, stored: MariadbGtidState): boolean {
  const newest = stored.last(gtid.domainId)
  if (newest === undefined) return false
  const ofServer = stored.lastOf(gtid.domainId, gtid.serverId)
  return newest.sequence < gtid.sequence || (ofServer !== undefined && ofServer < gtid.sequence)
}

function* lostFindings(lost: string): Generator<Finding> {
  if (lost === '') return
  yield error(
    `the replica lacks transactions that are no longer stored: ${shortGtids(lost)}`,
    'restore the replica from a newer backup of the source',
  )
}

function error(message: string, remedy: string): Finding {
  return { severity: 'error', message, remedy }
}
