import { systemClock } from '../../base/clock.ts'
import { describeError, isLandbridgeError } from '../../base/errors.ts'
import { formatHostPort } from '../../config/address.ts'
import type { SiteDatabaseConfig } from '../../database/database-section.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { findStreamIdentity } from '../../gateway/stream-identity.ts'
import { preflight } from '../../source/preflight.ts'
import {
  type PreflightFacts,
  type PreflightSelf,
  readPreflightFacts,
} from '../../source/preflight-facts.ts'
import { fenceGrantLacking } from '../../source/preflight-grants.ts'
import { SourceConnection } from '../../source/source-connection.ts'
import { readSourceFacts, type SourceFacts } from '../../source/source-facts.ts'
import { presentedFindings, tlsFindings } from './check-database-tls.ts'
import type { CheckFinding } from './check-list.ts'
import { streamsAs } from './check-roles.ts'

const CHECK_MS_MAX = 20_000

/** What the gateway itself looks at before each dump, for every stream with its origin here. */
export async function checkSources(config: GatewayConfig): Promise<CheckFinding[]> {
  const findings: CheckFinding[] = []
  for (const { name, database: source } of await streamsAs('origin', config)) {
    if (source === null) continue
    const prefix = config.streams.length > 1 ? `${name}: ` : ''
    const identity = await findStreamIdentity(config.dataDir, name)
    // Of several peers the first: the others' readers differ in nothing but their ids.
    const reader = identity?.readers[config.peers[0]?.name ?? '']
    const self: PreflightSelf = {
      serverId: source.serverId ?? reader?.serverId ?? null,
      replicaUuid: reader?.uuid ?? null,
      reportHost: config.name,
    }
    const isFenced = config.peers.some(({ mayTakeOver }) => mayTakeOver)
    for (const finding of await checkSource(source, self, { isFenced })) {
      findings.push({ ...finding, message: `${prefix}${finding.message}` })
    }
  }
  return findings
}

/** Also what cannot be asked is a finding: the other sources are still looked at. */
export async function checkSource(
  source: SiteDatabaseConfig,
  self: PreflightSelf,
  /** Whether another site may take over, and this one has to be made read-only then. */
  { isFenced }: { readonly isFenced: boolean } = { isFenced: false },
): Promise<CheckFinding[]> {
  const signal = AbortSignal.timeout(CHECK_MS_MAX)
  try {
    const connection = await SourceConnection.open(source, signal)
    try {
      const facts = await readSourceFacts(connection)
      const seen = await readPreflightFacts(connection, facts, self, systemClock)
      const judged = preflight(seen)
      const fence = isFenced ? fenceFindings(seen) : []
      const found = judged.map(({ severity, message, fix }) => ({
        severity,
        message,
        ...(fix !== null && { remedy: fix }),
      }))
      return [
        ...serverFindings(source, facts),
        ...tlsFindings(source, 'database'),
        ...found,
        ...fence,
      ]
    } finally {
      connection.close()
    }
  } catch (error) {
    const remedy = isLandbridgeError(error) ? error.remedy : undefined
    const message = describeError(error)
    return [
      { severity: 'error', message, ...(remedy !== undefined && { remedy }) },
      ...(await presentedFindings(source, error, signal)),
    ]
  }
}

function fenceFindings(facts: PreflightFacts): CheckFinding[] {
  const remedy = fenceGrantLacking(facts)
  if (remedy === null) return []
  const message =
    'when another site takes over, the gateway cannot make this database read-only: the login ' +
    'may not'
  return [{ severity: 'warning', message, remedy }]
}

function serverFindings(source: SiteDatabaseConfig, { flavor, serverVersion }: SourceFacts) {
  const where = formatHostPort(source)
  const findings: CheckFinding[] = [
    { severity: 'ok', message: `${source.user} is in at ${where}: ${flavor} ${serverVersion}` },
  ]
  if (source.flavor !== 'auto' && source.flavor !== flavor) {
    findings.push({
      severity: 'error',
      message: `the source is ${flavor}, the configuration says ${source.flavor}`,
      remedy: `database: { flavor: auto }, or ${flavor}`,
    })
  }
  return findings
}
