import { codeOf, describeError, isLandbridgeError } from '../../base/errors.ts'
import { formatHostPort } from '../../config/address.ts'
import { inspectReplica } from '../../database/attach.ts'
import { delayFindings, filterFindings, replicaFindings } from '../../database/attach-findings.ts'
import type { DatabaseConfig } from '../../database/database-section.ts'
import {
  describeConnection,
  doesRun,
  type RelayAddress,
  threadsOf,
} from '../../database/replica-connection.ts'
import { openReplica } from '../../database/replica-queries.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { relayAddress } from '../../gateway/relay-address.ts'
import { localRelayLogin } from '../../gateway/relay-login.ts'
import { findStreamIdentity } from '../../gateway/stream-identity.ts'
import { ATTACH_GRANTS } from '../../mysql/grants.ts'
import type { RelayConfig } from '../../relay/relay-section.ts'
import { presentedFindings, tlsFindings } from './check-database-tls.ts'
import type { CheckFinding } from './check-list.ts'
import { streamsAs } from './check-roles.ts'

const CHECK_MS_MAX = 20_000

export interface ReplicaCheck {
  readonly replica: DatabaseConfig
  readonly relay: RelayConfig
  /** By what the relay is known to the replica. */
  readonly address: RelayAddress
  /** For the command that a remedy names. */
  readonly configPath: string
}

/** Whether the database here could follow this gateway's relay, for every stream copied here. */
export async function checkReplicas(config: GatewayConfig): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = []
  for (const { name, relay, database: replica } of await streamsAs('copy', config)) {
    // What is missing then, is told with the roles.
    if (relay === null || replica === null) continue
    const identity = await findStreamIdentity(config.dataDir, name)
    const address = relayAddress(relay, identity)
    const prefix = config.streams.length > 1 ? `${name}: ` : ''
    const check = { replica, relay, address, configPath: config.path }
    for (const finding of await checkReplica(check)) {
      findings.push({ ...finding, message: `${prefix}${finding.message}` })
    }
  }
  return findings
}

export async function checkReplica(check: ReplicaCheck): Promise<CheckFinding[]> {
  const { replica: login, relay, address, configPath } = check
  const signal = AbortSignal.timeout(CHECK_MS_MAX)
  try {
    const inspected = await inspectReplica(
      { replica: { role: 'replica', ...login }, relay: localRelayLogin(relay), address },
      signal,
    )
    const { replica } = inspected
    const { flavor, version, serverId } = replica
    const where = `${login.user} is in at ${formatHostPort(login)}`
    const findings: CheckFinding[] = [
      { severity: 'ok', message: `${where}: ${flavor} ${version}, server_id ${serverId}` },
      ...tlsFindings(login, 'database'),
      ...(await pollingFindings(login, address, signal)),
      ...replicaFindings(replica, inspected.relay),
      ...delayFindings(replica.following?.delaySeconds ?? 0),
      ...filterFindings(replica, ''),
      followingFinding(inspected, configPath),
    ]
    if (inspected.relay === null) {
      if (serverId === address.serverId) findings.push(sameServerId(serverId))
      const message = 'the relay has nothing to serve yet: GTIDs were not compared'
      findings.push({ severity: 'ok', message })
    }
    return findings
  } catch (error) {
    const finding = { severity: 'error', message: describeError(error) } as const
    const remedy = isLandbridgeError(error) ? error.remedy : undefined
    if (remedy !== undefined) {
      return [{ ...finding, remedy }, ...(await presentedFindings(login, error, signal))]
    }
    if (codeOf(error) !== 'ERR_SQL_STATEMENT') return [finding]
    const [mysql, mariadb] = [ATTACH_GRANTS.mysql, ATTACH_GRANTS.mariadb].map((one) =>
      one.join(', '),
    )
    return [{ ...finding, remedy: `grant it on *.*: ${mysql} (MySQL), ${mariadb} (MariaDB)` }]
  }
}

/** What the running gateway asks all the time, to say how far the replica is. */
async function pollingFindings(
  login: DatabaseConfig,
  address: RelayAddress,
  signal: AbortSignal,
): Promise<readonly CheckFinding[]> {
  const queries = await openReplica(login, address, signal)
  try {
    await queries.replication()
    await queries.applied()
    return [{ severity: 'ok', message: `${login.user} may ask what the replica has applied` }]
  } finally {
    queries.close()
  }
}

function sameServerId(serverId: number): CheckFinding {
  return {
    severity: 'error',
    message: `the replica has server_id ${serverId}, as the relay has`,
    remedy: 'SET GLOBAL server_id to another number: it would ignore every event',
  }
}

/** One that does not receive, or does not apply, falls behind from now on. */
function followingFinding(
  { replica, relay }: Awaited<ReturnType<typeof inspectReplica>>,
  configPath: string,
): CheckFinding {
  const { following } = replica
  const remedy = `landbridge replica attach --config ${configPath}`
  if (following === null) {
    return { severity: 'ok', message: 'the replica does not follow this gateway yet', remedy }
  }
  const threads = threadsOf(following)
  const message = `the replica follows ${describeConnection(following)}; ${threads}`
  if (doesRun(following)) return { severity: 'ok', message }
  // Of a gateway that does not run the replica can receive nothing, and that is said elsewhere.
  const isAway = relay === null && following.applier === 'running'
  return isAway && following.receiver === 'connecting'
    ? { severity: 'warning', message, remedy: 'start the gateway' }
    : { severity: 'error', message, remedy: `mend what it says, then ${remedy}` }
}
