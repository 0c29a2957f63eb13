import {
  connectionFilters,
  delayFindings,
  type FilterChoice,
  type Finding,
  filterFindings,
  inTheWayFinding,
  replicaFindings,
  verificationFindings,
} from './attach-findings.ts'
import {
  type AttachTarget,
  attachStatements,
  type Statement,
  startStatements,
} from './attach-statements.ts'
import {
  authorityChange,
  filterOptions,
  mustChange,
  type SettingChange,
  settingChanges,
} from './connection-settings.ts'
import { describeConnection, type ReplicaConnection } from './replica-connection.ts'
import type { RelayFacts, ReplicaFacts } from './replica-facts.ts'
import { isClearable } from './replica-filters.ts'

export interface AttachPlan {
  /** `none`: it follows the relay already. `start`: it does, but does not apply. */
  readonly action: 'none' | 'start' | 'attach'
  readonly findings: readonly Finding[]
  /** What the connection was told for the source of before, and is told otherwise. */
  readonly changes: readonly SettingChange[]
  readonly statements: readonly Statement[]
}

export interface AttachChoice {
  /** Take over a connection that follows something else. */
  readonly replace: boolean
  /** Name of the connection to make when there is none yet. */
  readonly channel?: string
  /** `accept`: attach one that leaves out data: it is known that it cannot take over. */
  readonly filters?: FilterChoice
  /** Apply so late on purpose; default: as late as now when it follows this relay, else not. */
  readonly delaySeconds?: number
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
  const inTheWay = others.find((other) => other.name === name) ?? null
  const besides = others.filter((other) => other !== inTheWay)
  const findings = replicaFindings({ ...replica, others: besides }, relay)
  findings.push(...filterFindings(replica, name, choice.filters))
  if (inTheWay !== null && !choice.replace) findings.push(inTheWayFinding(inTheWay))
  findings.push(...delayOf(following, inTheWay, choice))
  const isHere = following !== null && isAt(following, target)
  // Ours and not there: it runs, and reaches the relay in another way, which may be the only one.
  const stays = following?.usesGtid === true && (isHere || !choice.replace)
  if (stays && !isHere) findings.push(otherAddressFinding(following, target))
  if (!stays || hasToChange(replica, following, target, choice)) {
    const change = planChange(replica, { name, inTheWay, stays }, target, choice)
    return { action: 'attach', ...change, findings: [...findings, ...change.findings] }
  }
  const isRunning = following.applier === 'running'
  const statements = isRunning ? [] : startStatements(replica, name)
  return { action: isRunning ? 'none' : 'start', findings, changes: [], statements }
}

function isAt(following: ReplicaConnection, { host, port, user }: AttachTarget): boolean {
  return following.host === host && following.port === port && following.user === user
}

/**
 * Whether one that follows this relay needs more than START. One that receives has the right
 * password; of another that cannot be seen, so it is told again.
 */
function hasToChange(
  replica: ReplicaFacts,
  following: ReplicaConnection,
  { caPath }: AttachTarget,
  { delaySeconds, filters }: AttachChoice,
): boolean {
  const { flavor, settings } = replica
  return (
    following.receiver !== 'running' ||
    (caPath !== null && caPath !== following.caPath) ||
    (delaySeconds !== undefined && delaySeconds !== following.delaySeconds) ||
    (filters === 'clear' && following.filters.some(isClearable)) ||
    mustChange(flavor, settings?.[following.name] ?? {})
  )
}

interface Place {
  readonly name: string
  readonly inTheWay: ReplicaConnection | null
  /** It follows this relay, by the address that it has. */
  readonly stays: boolean
}

function planChange(
  replica: ReplicaFacts,
  { name, inTheWay, stays }: Place,
  target: AttachTarget,
  choice: AttachChoice,
): Omit<AttachPlan, 'action'> {
  const { flavor, following, settings } = replica
  const present = following ?? inTheWay
  const caPath = target.caPath ?? following?.caPath ?? null
  const keepsAuthority = stays && target.caPath === null
  const { host, port } = stays && following !== null ? following : target
  const wanted = { ...target, host, port, caPath }
  const own = connectionFilters(replica, name) ?? []
  const cleared = choice.filters === 'clear' ? own.filter(isClearable) : []
  const order = {
    isOurs: following !== null,
    delaySeconds: choice.delaySeconds ?? null,
    keepsFilters: choice.filters !== 'clear' && own.length > 0,
  }
  const isSilent = keepsAuthority && caPath !== null
  const findings = isSilent ? [] : [...verificationFindings(wanted)]
  if (present !== null && settings === null) findings.push(hiddenFinding())
  const authority =
    keepsAuthority || present === null ? [] : authorityChange(flavor, present.caPath, caPath)
  const ofFilters = filterOptions(flavor)
  const names = cleared.map((filter) => filter.slice(0, filter.indexOf('=')))
  return {
    findings,
    changes: [...authority, ...settingChanges(flavor, order, settings?.[name] ?? {})],
    statements: attachStatements(replica, {
      target: wanted,
      name,
      isThere: present !== null,
      keepsAuthority,
      settings: order,
      clearedFilters: names.filter((one) => !ofFilters.includes(one)),
    }),
  }
}

function* delayOf(
  following: ReplicaConnection | null,
  inTheWay: ReplicaConnection | null,
  { delaySeconds }: AttachChoice,
): Generator<Finding> {
  const seconds = delaySeconds ?? following?.delaySeconds ?? 0
  yield* delayFindings(seconds)
  const before = inTheWay?.delaySeconds ?? 0
  if (before === 0 || seconds !== 0) return
  yield {
    severity: 'warning',
    message: `the replica applied ${before} seconds late on purpose: that ends`,
    remedy: `use --delay ${before} to keep it`,
  }
}

function otherAddressFinding(following: ReplicaConnection, target: AttachTarget): Finding {
  return {
    severity: 'warning',
    message: `the replica reaches this relay at ${describeConnection(following)}`,
    remedy: `use --replace if it is to use ${target.host}:${target.port} instead`,
  }
}

function hiddenFinding(): Finding {
  return {
    severity: 'warning',
    message: 'what the connection was told before cannot be seen with this login; it is told anew',
    remedy: 'grant it SELECT ON performance_schema.*',
  }
}
