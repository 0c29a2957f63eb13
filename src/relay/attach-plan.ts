import type { Flavor } from '../base/flavor.ts'
import type { Secret } from '../base/secret.ts'
import { parseMariadbGtidState } from '../binlog/mariadb-gtid-state.ts'
import { parseMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'
import { shortGtids } from './dump-refusal.ts'
import { isRefused, lineageReason, lineageRemedy } from './lineage-guard.ts'
import type { FollowedSource, RelayFacts, ReplicaFacts } from './replica-facts.ts'
import { replicaKey } from './replica-registry.ts'

/** Where the replica is to connect to, seen from the replica. */
export interface AttachTarget {
  readonly host: string
  readonly port: number
  readonly user: string
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

/** What to run at the replica, and what speaks against it. `relay` is null when not reachable. */
export function planAttach(
  replica: ReplicaFacts,
  relay: RelayFacts | null,
  target: AttachTarget,
  options: { readonly replace: boolean },
): AttachPlan {
  const { following } = replica
  const isRelay = following !== null && follows(following, target)
  const isSame = isRelay && (target.caPath === null || target.caPath === following.caPath)
  const findings = replicaFindings(replica, relay)
  if (following !== null && following.host !== '' && !isRelay && !options.replace) {
    findings.push({
      severity: 'error',
      message: `the replica follows ${following.host}:${following.port}`,
      remedy: 'use --replace if it is to follow this relay instead',
    })
  }
  if (!isSame) {
    findings.push(...verificationFindings(target))
    return { action: 'attach', findings, statements: attachStatements(replica, target) }
  }
  const isRunning = following.receiver === 'running' && following.applier === 'running'
  if (isRunning) return { action: 'none', findings, statements: [] }
  return { action: 'start', findings, statements: [plain(words(replica.flavor).start)] }
}

/** What speaks against a replica of this relay, whatever it follows now. */
export function replicaFindings(replica: ReplicaFacts, relay: RelayFacts | null): Finding[] {
  const findings: Finding[] = [...setupFindings(replica)]
  if (relay !== null) findings.push(...relayFindings(replica, relay))
  return findings
}

export function follows(following: FollowedSource, target: AttachTarget): boolean {
  const { host, port, user } = target
  const isSame = following.host === host && following.port === port && following.user === user
  return isSame && following.usesGtid
}

export function detachStatements(flavor: Flavor): Statement[] {
  const { stop, reset } = words(flavor)
  return [plain(stop), plain(reset)]
}

function words(flavor: Flavor): Readonly<Record<'start' | 'stop' | 'reset', string>> {
  const noun = flavor === 'mysql' ? 'REPLICA' : 'SLAVE'
  return { start: `START ${noun}`, stop: `STOP ${noun}`, reset: `RESET ${noun} ALL` }
}

function attachStatements(replica: ReplicaFacts, target: AttachTarget): Statement[] {
  const { flavor, following, backslashEscapes } = replica
  const quote = (text: string) => quoteText(text, backslashEscapes)
  const change = (password: string) =>
    flavor === 'mysql'
      ? changeMysql(target, password, quote)
      : changeMariadb(target, password, quote)
  const { start, stop } = words(flavor)
  return [
    ...(following === null ? [] : [plain(stop)]),
    { sql: change(target.password.reveal()), shown: change('********') },
    plain(start),
  ]
}

type Quote = (text: string) => string

function changeMysql(target: AttachTarget, password: string, quote: Quote): string {
  const parts = [
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
  return `CHANGE REPLICATION SOURCE TO ${parts.join(', ')}`
}

function changeMariadb(target: AttachTarget, password: string, quote: Quote): string {
  const parts = [
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
  return `CHANGE MASTER TO ${parts.join(', ')}`
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
  yield* lostFindings(parseMariadbGtidState(relay.purgedGtids).missingFrom(has))
  const ahead = has.missingFrom(parseMariadbGtidState(relay.gtids))
  if (ahead !== '') {
    yield error(
      `the replica stands at ${shortGtids(ahead)}, which is not stored`,
      'wait until the relay has caught up; if it has, the replica has diverged: restore it',
    )
  }
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
