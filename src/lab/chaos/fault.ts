import { type DatabaseName, databasesOf, type GatewayName, type LabShape } from '../lab-shape.ts'
import { SITES, type SiteName } from '../lab-sites.ts'
import type { WanSettings } from '../wan/wan-settings.ts'

export type Target = GatewayName | `${SiteName}-wireguard` | DatabaseName

/** What goes wrong. Every kind has a heal that puts right what it did; see FaultInjector. */
export type FaultAction =
  /** SIGKILL; started again after the hold. A gateway starts its wireguard-go again by itself. */
  | { readonly kind: 'kill'; readonly target: Target }
  /** SIGSTOP, SIGCONT after the hold. */
  | { readonly kind: 'stop'; readonly target: Target }
  /** SIGTERM, started again once it has ended. */
  | { readonly kind: 'restart'; readonly target: Target }
  /** `between`: two sites; null: all of them. */
  | {
      readonly kind: 'wan'
      readonly name: string
      readonly between: readonly [SiteName, SiteName] | null
      readonly change: Partial<WanSettings>
    }
  /** The source begins a new binlog file, so many times. */
  | { readonly kind: 'flush-logs'; readonly at: DatabaseName; readonly times: number }
  /** The same by the hundreds: every session of the link begins with the list of them. */
  | { readonly kind: 'many-files'; readonly at: DatabaseName; readonly times: number }
  /** The source's GTID set grows by so many parts, for good. */
  | { readonly kind: 'huge-gtid-set'; readonly at: DatabaseName; readonly parts: number }
  /** The source's dump threads are killed while a transaction of so many bytes passes. */
  | {
      readonly kind: 'dump-kill'
      readonly at: DatabaseName
      readonly times: number
      readonly bytes: number
    }
  /** The disk of a site's spools has only so much room left. */
  | { readonly kind: 'disk-full'; readonly site: SiteName; readonly freeBytes: number }
  /** The clock of one gateway jumps, and back after the hold. */
  | { readonly kind: 'clock-step'; readonly site: SiteName; readonly stepMs: number }
  | { readonly kind: 'replica-stop'; readonly at: DatabaseName }
  /** A second reader of the relay with the replica's own server id, again and again. */
  | { readonly kind: 'twin-replica'; readonly at: DatabaseName; readonly site: SiteName }
  /** Connections to a gateway's link are reset again and again, so long after they could begin. */
  | { readonly kind: 'link-flap'; readonly site: SiteName; readonly openMs: number }
  /** Another gateway is started on the spools of a running one. */
  | { readonly kind: 'second-gateway'; readonly site: SiteName; readonly sameData: boolean }
  | { readonly kind: 'certificate'; readonly site: SiteName; readonly flaw: CertificateFlaw }

export type CertificateFlaw = 'expired' | 'wrong-authority'

export interface Fault {
  readonly action: FaultAction
  readonly holdMs: number
}

/** `stop azure-gateway`, as reports and `--only` name it. */
export function faultName({ action }: Pick<Fault, 'action'>): string {
  switch (action.kind) {
    case 'kill':
    case 'stop':
    case 'restart':
      return `${action.kind} ${action.target}`
    case 'wan':
      return `wan ${action.name}`
    case 'certificate':
      return `certificate ${action.flaw} ${action.site}`
    case 'clock-step':
      return `clock-step ${action.site}`
    default:
      return action.kind
  }
}

/** The name with what was drawn for it, for people. */
export function faultText(fault: Fault): string {
  const { kind, target, name, flaw, between, change, at, ...rest } = {
    ...emptyAction,
    ...fault.action,
  }
  const isNamed = kind === 'certificate' || kind === 'clock-step'
  const where = at ?? (isNamed ? undefined : rest.site)
  const drawn = Object.entries(change ?? rest).filter(([key]) => key !== 'site')
  const details = drawn.map(([key, value]) => `${key} ${value}`)
  const hold = `for ${(fault.holdMs / 1_000).toFixed(1)} s`
  const place = [between?.join(' - ') ?? null, where === undefined ? null : `at ${where}`]
  const told = [faultName(fault), ...place.filter((part) => part !== null), ...details, hold]
  return told.join(', ')
}

const emptyAction: {
  readonly target?: Target
  readonly site?: SiteName
  readonly at?: DatabaseName
  readonly name?: string
  readonly flaw?: CertificateFlaw
  readonly between?: readonly [SiteName, SiteName] | null
  readonly change?: Partial<WanSettings>
} = {}

/** A gateway by its site, a database by its name, a spool's disk, or the WAN. */
export type Area = SiteName | DatabaseName | `disk ${SiteName}` | 'wan'

/** What a fault has its hands on: two at a time must not share it. */
export function areaOf({ action }: Pick<Fault, 'action'>): Area {
  switch (action.kind) {
    case 'kill':
    case 'stop':
    case 'restart':
      return areaOfTarget(action.target)
    case 'certificate':
    case 'clock-step':
    case 'second-gateway':
      return action.site
    case 'wan':
    case 'link-flap':
      return 'wan'
    case 'disk-full':
      return `disk ${action.site}`
    default:
      return action.at
  }
}

function areaOfTarget(target: Target): Area {
  const site = SITES.find((one) => target === `${one}-gateway` || target === `${one}-wireguard`)
  return site ?? (target as DatabaseName)
}

/**
 * Whether two faults may last at once. What a twin of the replica has still under way reaches a
 * gateway that was stopped only when that goes on: then the replica is thrown out after it was
 * started again, for good.
 */
export function mayOverlap(one: Fault, other: Fault): boolean {
  const areas = [one, other].map(areaOf)
  const twins = [one, other].flatMap(({ action }) =>
    action.kind === 'twin-replica' ? [action.site] : [],
  )
  return areas[0] !== areas[1] && !twins.some((site) => areas.includes(site))
}

/** Faults of a replica leave the stream into the spool alone. */
export function disturbsSpool(shape: LabShape, fault: Fault): boolean {
  const area = areaOf(fault)
  return !replicasOf(shape).some(({ name }) => name === area)
}

export function disturbsReplica(shape: LabShape, fault: Fault): boolean {
  const area = areaOf(fault)
  return replicasOf(shape).some(({ name, site }) => name === area || site === area)
}

function replicasOf(shape: LabShape) {
  return databasesOf(shape).filter(({ role }) => role === 'copy')
}
