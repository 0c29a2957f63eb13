import type { WanSettings } from '../wan/wan-settings.ts'

export const TARGETS = [
  'prod-gateway',
  'dr-gateway',
  'prod-wireguard',
  'dr-wireguard',
  'source',
  'replica',
] as const
export type Target = (typeof TARGETS)[number]

export type Site = 'production' | 'dr'

/** What goes wrong. Every kind has a heal that puts right what it did; see FaultInjector. */
export type FaultAction =
  /** SIGKILL; started again after the hold. A gateway starts its wireguard-go again by itself. */
  | { readonly kind: 'kill'; readonly target: Target }
  /** SIGSTOP, SIGCONT after the hold. */
  | { readonly kind: 'stop'; readonly target: Target }
  /** SIGTERM, started again once it has ended. */
  | { readonly kind: 'restart'; readonly target: Target }
  | { readonly kind: 'wan'; readonly name: string; readonly change: Partial<WanSettings> }
  /** The source begins a new binlog file, so many times. */
  | { readonly kind: 'flush-logs'; readonly times: number }
  /** The same by the hundreds: every session of the link begins with the list of them. */
  | { readonly kind: 'many-files'; readonly times: number }
  /** The source's GTID set grows by so many parts, for good. */
  | { readonly kind: 'huge-gtid-set'; readonly parts: number }
  /** The source's dump threads are killed while a transaction of so many bytes passes. */
  | { readonly kind: 'dump-kill'; readonly times: number; readonly bytes: number }
  /** The disk of the DR spool has only so much room left. */
  | { readonly kind: 'disk-full'; readonly freeBytes: number }
  /** The clock of one gateway jumps, and back after the hold. */
  | { readonly kind: 'clock-step'; readonly site: Site; readonly stepMs: number }
  | { readonly kind: 'replica-stop' }
  /** A second reader of the relay with the replica's own server id, again and again. */
  | { readonly kind: 'twin-replica' }
  /** Connections of the link are reset again and again, so long after they could be made. */
  | { readonly kind: 'link-flap'; readonly openMs: number }
  /** Another DR gateway is started on the spool of the running one. */
  | { readonly kind: 'second-gateway'; readonly sameData: boolean }
  | { readonly kind: 'certificate'; readonly site: Site; readonly flaw: CertificateFlaw }

export type CertificateFlaw = 'expired' | 'wrong-authority'

export interface Fault {
  readonly action: FaultAction
  readonly holdMs: number
}

/** `stop dr-gateway`, as reports and `--only` name it. */
export function faultName({ action }: Fault): string {
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
  const { kind, target, site, name, flaw, ...drawn } = { ...emptyAction, ...fault.action }
  const details = Object.entries(drawn.change ?? drawn)
    .filter(([key, value]) => key !== 'change' && value !== undefined)
    .map(([key, value]) => `${key} ${value}`)
  const hold = `for ${(fault.holdMs / 1_000).toFixed(1)} s`
  return [faultName(fault), ...details, hold].join(', ')
}

const emptyAction: {
  readonly target?: Target
  readonly site?: Site
  readonly name?: string
  readonly flaw?: CertificateFlaw
  readonly change?: Partial<WanSettings>
} = {}

export type Area = 'production' | 'dr' | 'source' | 'replica' | 'wan' | 'disk'

/** What a fault has its hands on: two at a time must not share it. */
export function areaOf({ action }: Fault): Area {
  switch (action.kind) {
    case 'kill':
    case 'stop':
    case 'restart':
      return areaOfTarget(action.target)
    case 'certificate':
    case 'clock-step':
      return action.site
    case 'wan':
    case 'link-flap':
      return 'wan'
    case 'second-gateway':
      return 'dr'
    case 'disk-full':
      return 'disk'
    case 'replica-stop':
    case 'twin-replica':
      return 'replica'
    default:
      return 'source'
  }
}

function areaOfTarget(target: Target): Area {
  if (target === 'source' || target === 'replica') return target
  return target.startsWith('prod-') ? 'production' : 'dr'
}

/**
 * Whether two faults may last at once. What a twin of the replica has still under way reaches a
 * gateway that was stopped only when that goes on: then the replica is thrown out after it was
 * started again, for good.
 */
export function mayOverlap(one: Fault, other: Fault): boolean {
  const hasTwin = [one, other].some(({ action }) => action.kind === 'twin-replica')
  const areas = [one, other].map(areaOf)
  return areas[0] !== areas[1] && !(hasTwin && areas.includes('dr'))
}

/** Faults of the replica leave the stream into the spool alone. */
export function disturbsSpool(fault: Fault): boolean {
  return areaOf(fault) !== 'replica'
}

export function disturbsReplica(fault: Fault): boolean {
  return ['replica', 'dr'].includes(areaOf(fault))
}
