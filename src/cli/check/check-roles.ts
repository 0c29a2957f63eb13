import { describeError, isLandbridgeError } from '../../base/errors.ts'
import type { PeerConfig } from '../../config/peer-file.ts'
import type { GatewayConfig, StreamConfig } from '../../gateway/config/gateway-config.ts'
import { type KnownTerm, loadTerm } from '../../gateway/term-file.ts'
import type { CheckFinding } from './check-list.ts'

const DATABASE_REMEDY =
  'add the `database:` section of the example (gateway/README.md, "The replica")'
const RELAY_REMEDY = 'add the `relay:` section of the example (gateway/README.md, "Two roles")'
const UNFED = 'the database here cannot be fed'

/** What this site is in each stream, and what it would lack as the other. */
export async function checkRoles(config: GatewayConfig): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = []
  for (const stream of config.streams) findings.push(...(await streamFindings(config, stream)))
  return [...findings, ...trustFindings(config)]
}

async function streamFindings(
  { site, dataDir }: GatewayConfig,
  stream: StreamConfig,
): Promise<CheckFinding[]> {
  try {
    const known = await loadTerm({ dataDir, site, stream })
    const isOrigin = known.record.origin === site
    const lacking = isOrigin ? originFindings(stream) : copyFindings(stream, known)
    return [roleFinding(site, stream.name, known), ...lacking]
  } catch (error) {
    const remedy = isLandbridgeError(error) ? error.remedy : undefined
    const message = `${stream.name}: ${describeError(error)}`
    return [{ severity: 'error', message, ...(remedy !== undefined && { remedy }) }]
  }
}

/** The streams in which this site has a role now. One whose term cannot be read is told above. */
export async function streamsAs(
  role: 'origin' | 'copy',
  { site, dataDir, streams }: GatewayConfig,
): Promise<StreamConfig[]> {
  const found: StreamConfig[] = []
  for (const stream of streams) {
    const known = await loadTerm({ dataDir, site, stream }).catch(() => null)
    if (known === null) continue
    if ((known.record.origin === site) === (role === 'origin')) found.push(stream)
  }
  return found
}

function roleFinding(site: string, name: string, { record }: KnownTerm): CheckFinding {
  const { term, origin, by, reason } = record
  const since = by === null ? 'as configured' : `by ${by}${reason === null ? '' : `: ${reason}`}`
  const role = origin === site ? 'is the origin' : `is a copy of ${origin}`
  const message = `${name}: this site, ${site}, ${role} (term ${term}, ${since})`
  return { severity: 'ok', message }
}

function originFindings({ name, database, relay }: StreamConfig): CheckFinding[] {
  const findings: CheckFinding[] = []
  if (database === null) {
    const message = `${name}: no database is named here, though this site is the origin`
    findings.push({ severity: 'error', message, remedy: DATABASE_REMEDY })
  }
  if (relay === null) {
    const message = `${name}: there is no relay: when another site takes over, ${UNFED}`
    findings.push({ severity: 'warning', message, remedy: RELAY_REMEDY })
  }
  return findings
}

function copyFindings(
  { name, database, relay }: StreamConfig,
  { record, fence }: KnownTerm,
): CheckFinding[] {
  const findings: CheckFinding[] = []
  if (fence) {
    findings.push({
      severity: 'warning',
      message: `${name}: the database here is still to be fenced, since ${record.origin} took over`,
      remedy: 'start the gateway; until then keep applications away from that database',
    })
  }
  if (database === null) {
    const message = `${name}: this site cannot take over: no database is named here`
    findings.push({ severity: 'warning', message, remedy: DATABASE_REMEDY })
  } else if (relay === null) {
    const message = `${name}: there is no relay: ${UNFED}`
    findings.push({ severity: 'warning', message, remedy: RELAY_REMEDY })
  }
  return findings
}

/** Whose word counts when the origin is said to have moved. */
function trustFindings({ self, peers }: GatewayConfig): CheckFinding[] {
  const findings: CheckFinding[] = []
  const remedy = ({ name }: PeerConfig) =>
    `if it shall: mayTakeOver: true in peers/${name}.yaml, at every gateway`
  if (!self.mayTakeOver) {
    const message = 'this gateway may not take over: what it says of the origin does not count'
    findings.push({ severity: 'info', message, remedy: remedy(self) })
  }
  for (const peer of peers) {
    if (peer.mayTakeOver) continue
    const message = `${peer.name} may not take over: what it says of the origin does not count`
    findings.push({ severity: 'info', message, remedy: remedy(peer) })
  }
  return findings
}
