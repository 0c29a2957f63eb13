import type { Secret } from '../base/secret.ts'
import {
  type MariadbGtid,
  type MariadbGtidState,
  parseMariadbGtidState,
} from '../binlog/mariadb-gtid-state.ts'
import { parseMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'
import {
  describeConnection,
  type RelayAddress,
  type ReplicaConnection,
} from '../progress/replica-connection.ts'
import { FILTER_REMEDY } from '../progress/replica-filters.ts'
import { shortGtids } from './dump-refusal.ts'
import { isRefused, lineageReason, lineageRemedy } from './lineage-guard.ts'
import type { RelayFacts, ReplicaFacts } from './replica-facts.ts'
import { replicaKey } from './replica-registry.ts'

/** Where the replica is to connect to, seen from the replica. */
export interface AttachTarget extends RelayAddress {
  readonly host: string
  readonly password: Secret
  /** Path on the replica's machine of the authority to verify the relay with; null for none. */
  readonly caPath: string | null
  /** Whether the relay's certificate names `host`: then the name is verified too. */
  readonly isNamed: boolean
}

export interface Statement {
  readonly sql: string
  /** The same without the password. */
  readonly shown: string
}

export interface Finding {
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly remedy: string
}

export interface AttachPlan {
  /** `none`: it follows the relay already. `start`: it does, but is stopped. */
  readonly action: 'none' | 'start' | 'attach'
  readonly findings: readonly Finding[]
  readonly statements: readonly Statement[]
}

const CONNECT_RETRY_SECONDS = 1
const HEARTBEAT_SECONDS = 2

export interface AttachChoice {
  /** Take over a connection that follows something else. */
  readonly replace: boolean
  /** Name of the connection to make when there is none yet. */
  readonly channel?: string
  /** Attach one that leaves out data all the same: it is known that it cannot take over. */
  readonly acceptFilters?: boolean
}

/** What to run at the replica, and what speaks against it. `relay` is null when not reachable. */
export function planAttach(
  replica: ReplicaFacts,
  relay: RelayFacts | null,
  target: AttachTarget,
  choice: AttachChoice,
): AttachPlan {
  const { following, others } = replica
  const name = following?.name ?? choice.channel ?? ''
  const inTheWay = others.find((other) => other.name === name)
  const besides = others.filter((other) => other !== inTheWay)
  const findings = replicaFindings({ ...replica, others: besides }, relay)
  findings.push(...filterFindings(replica, name, choice.acceptFilters === true))
  if (inTheWay !== undefined && !choice.replace) findings.push(inTheWayFinding(inTheWay))
  const isHere = following !== null && isAt(following, target)
  // Ours and not there: it runs, and reaches the relay in another way, which may be the only one.
  const stays = following?.usesGtid === true && (isHere || !choice.replace)
  if (stays && !isHere) findings.push(otherAddressFinding(following, target))
  const caPath = target.caPath ?? following?.caPath
  if (!stays || caPath !== following.caPath) {
    findings.push(...verificationFindings(target))
    const isThere = following !== null || inTheWay !== undefined
    const { host, port } = stays ? following : target
    const wanted = { ...target, host, port }
    const statements = attachStatements(replica, wanted, name, isThere)
    return { action: 'attach', findings, statements }
  }
  const isRunning = following.receiver === 'running' && following.applier === 'running'
  if (isRunning) return { action: 'none', findings, statements: [] }
  return { action: 'start', findings, statements: [plain(words(replica, name).start)] }
}

function inTheWayFinding(other: ReplicaConnection): Finding {
  return error(
    `the replica follows ${describeConnection(other)}`,
    'use --replace if it is to follow this relay instead, or --channel NAME to follow both',
  )
}

/** Of the connection of that name, which may be still to come. */
export function* filterFindings(
  replica: ReplicaFacts,
  name: string,
  isAccepted = false,
): Generator<Finding> {
  const { flavor, following, others, newFilters } = replica
  const present = following ?? others.find((other) => other.name === name)
  // MariaDB's global settings are those of the connection without a name.
  const ofNew = flavor === 'mariadb' && name !== '' ? [] : newFilters
  const own = present === undefined ? ofNew : present.filters
  if (own === null) {
    yield {
      severity: 'warning',
      message: 'whether the replica would leave out data cannot be seen with this login',
      remedy: 'grant it SELECT ON performance_schema.*',
    }
  }
  const filters = [...(own ?? []), ...replica.filters]
  if (filters.length === 0) return
  yield {
    severity: isAccepted ? 'warning' : 'error',
    message: `the replica leaves out data, and cannot take over: ${filters.join(', ')}`,
    remedy: `${FILTER_REMEDY} Or use --accept-filters, if it is not there to take over.`,
  }
}

/** What speaks against a replica of this relay, whatever it follows now. */
export function replicaFindings(replica: ReplicaFacts, relay: RelayFacts | null): Finding[] {
  const findings: Finding[] = [...setupFindings(replica)]
  findings.push(...connectionFindings(replica))
  if (relay !== null) findings.push(...relayFindings(replica, relay))
  return findings
}

function isAt(following: ReplicaConnection, { host, port, user }: AttachTarget): boolean {
  return following.host === host && following.port === port && following.user === user
}

function otherAddressFinding(following: ReplicaConnection, target: AttachTarget): Finding {
  return {
    severity: 'warning',
    message: `the replica reaches this relay at ${describeConnection(following)}`,
    remedy: `use --replace if it is to use ${target.host}:${target.port} instead`,
  }
}

/** Ends the connection of that name, and no other. */
export function detachStatements(replica: ReplicaFacts, name: string): Statement[] {
  const { stop, reset } = words(replica, name)
  return [plain(stop), plain(reset)]
}

interface Words {
  readonly start: string
  readonly stop: string
  readonly reset: string
  /** `CHANGE ... TO`, and what follows its options. */
  readonly change: readonly [head: string, tail: string]
}

/** Without a name MySQL would mean all channels, and MariaDB the connection without one. */
function words({ flavor, backslashEscapes }: ReplicaFacts, name: string): Words {
  const quoted = quoteText(name, backslashEscapes)
  if (flavor === 'mysql') {
    const channel = ` FOR CHANNEL ${quoted}`
    return {
      start: `START REPLICA${channel}`,
      stop: `STOP REPLICA${channel}`,
      reset: `RESET REPLICA ALL${channel}`,
      change: ['CHANGE REPLICATION SOURCE TO ', channel],
    }
  }
  const connection = name === '' ? '' : ` ${quoted}`
  return {
    start: `START SLAVE${connection}`,
    stop: `STOP SLAVE${connection}`,
    reset: `RESET SLAVE${connection} ALL`,
    change: [`CHANGE MASTER${connection} TO `, ''],
  }
}

/** `isThere`: there is a connection of that name, which may run. */
function attachStatements(
  replica: ReplicaFacts,
  target: AttachTarget,
  name: string,
  isThere: boolean,
): Statement[] {
  const { flavor, backslashEscapes } = replica
  const quote = (text: string) => quoteText(text, backslashEscapes)
  const { start, stop, change } = words(replica, name)
  const options = flavor === 'mysql' ? mysqlOptions : mariadbOptions
  const changed = (password: string) => change.join(options(target, password, quote).join(', '))
  return [
    ...(isThere ? [plain(stop)] : []),
    { sql: changed(target.password.reveal()), shown: changed('********') },
    plain(start),
  ]
}

type Quote = (text: string) => string

function mysqlOptions(target: AttachTarget, password: string, quote: Quote): string[] {
  return [
    `SOURCE_HOST=${quote(target.host)}`,
    `SOURCE_PORT=${target.port}`,
    `SOURCE_USER=${quote(target.user)}`,
    `SOURCE_PASSWORD=${quote(password)}`,
    'SOURCE_AUTO_POSITION=1',
    'SOURCE_SSL=1',
    `SOURCE_SSL_CA=${quote(target.caPath ?? '')}`,
    `SOURCE_SSL_VERIFY_SERVER_CERT=${verifiesName(target) ? 1 : 0}`,
    `SOURCE_CONNECT_RETRY=${CONNECT_RETRY_SECONDS}`,
    // Without an end: a relay that is away for a day is found again.
    'SOURCE_RETRY_COUNT=0',
    `SOURCE_HEARTBEAT_PERIOD=${HEARTBEAT_SECONDS}`,
  ]
}

function mariadbOptions(target: AttachTarget, password: string, quote: Quote): string[] {
  return [
    `MASTER_HOST=${quote(target.host)}`,
    `MASTER_PORT=${target.port}`,
    `MASTER_USER=${quote(target.user)}`,
    `MASTER_PASSWORD=${quote(password)}`,
    'MASTER_USE_GTID=slave_pos',
    'MASTER_SSL=1',
    `MASTER_SSL_CA=${quote(target.caPath ?? '')}`,
    `MASTER_SSL_VERIFY_SERVER_CERT=${verifiesName(target) ? 1 : 0}`,
    `MASTER_CONNECT_RETRY=${CONNECT_RETRY_SECONDS}`,
    `MASTER_HEARTBEAT_PERIOD=${HEARTBEAT_SECONDS}`,
  ]
}

function plain(sql: string): Statement {
  return { sql, shown: sql }
}

/** Under NO_BACKSLASH_ESCAPES a backslash is itself. */
function quoteText(text: string, backslashEscapes: boolean): string {
  const escaped = backslashEscapes ? text.replaceAll('\\', '\\\\') : text
  return `'${escaped.replaceAll("'", "''")}'`
}

/** With the authority alone the replica verifies who signed the certificate, not its name. */
function verifiesName({ caPath, isNamed }: AttachTarget): boolean {
  return caPath !== null && isNamed
}

function* verificationFindings({ caPath, isNamed, host }: AttachTarget): Generator<Finding> {
  if (caPath === null) {
    yield {
      severity: 'warning',
      message: 'the replica will not verify the relay: anybody on the way can pose as it',
      remedy:
        "copy certs/ca.crt to the replica's machine, readable for its server, and attach again " +
        'with --relay-ca PATH-THERE',
    }
  } else if (!isNamed) {
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
  if (!replica.isReadOnly) {
    yield {
      severity: 'warning',
      message: 'the replica takes writes from anybody: it can diverge',
      remedy: `SET GLOBAL ${replica.flavor === 'mysql' ? 'super_read_only' : 'read_only'}=ON`,
    }
  }
}

function* connectionFindings({ following, others }: ReplicaFacts): Generator<Finding> {
  const seconds = following?.delaySeconds ?? 0
  if (seconds > 0) {
    yield {
      severity: 'warning',
      message: `the replica applies ${seconds} seconds late on purpose`,
      remedy:
        'a failover has to wait for that, or end it first: STOP the SQL thread, set ' +
        'SOURCE_DELAY=0 (MariaDB: MASTER_DELAY=0), START it',
    }
  }
  if (others.length > 0) {
    const names = others.map(describeConnection).join(', ')
    yield {
      severity: 'warning',
      message: `the replica follows other sources besides: ${names}`,
      remedy: 'nothing is changed there; their data are not what this source has',
    }
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
      `${reset}, and ${lineageReason(standing)}`,
      lineageRemedy(replicaKey(replica), standing),
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
