import { type DatabaseName, databasesOf, gatewayName, type LabShape } from '../lab-shape.ts'
import { pairsOf, type SiteName } from '../lab-sites.ts'
import { type Random, seededRandom } from '../load/workload-statements.ts'
import {
  type CertificateFlaw,
  type Fault,
  type FaultAction,
  faultName,
  mayOverlap,
  type Target,
} from './fault.ts'

export interface ScheduleOptions {
  readonly shape: LabShape
  readonly seed: number
  readonly seconds: number
  /** Holds are drawn as in the field (a stop takes 1 to 90 s) and multiplied by this. */
  readonly scale: number
  /** Only faults whose name begins with one of these. Default all. */
  readonly only?: readonly string[]
}

/** One fault, or two that overlap. */
export interface Step {
  readonly index: number
  /** Earliest start; a recovery that takes longer moves the rest of the plan. */
  readonly atMs: number
  readonly faults: readonly { readonly fault: Fault; readonly offsetMs: number }[]
  /** False: the next step does not wait for this one's recovery. */
  readonly awaitsRecovery: boolean
}

interface FaultSpec {
  readonly name: string
  readonly weight: number
  /** Seconds before scaling; drawn evenly on a logarithmic scale. */
  readonly holdSeconds: readonly [number, number]
  readonly draw: (random: Random) => FaultAction
}

const RECOVERY_MS_PLANNED = 1_500
const HOLD_MS_MIN = 50
const PAUSE_MS = [200, 1_500] as const
const CHANCE_OF_PAIR = 0.2
const CHANCE_OF_HASTE = 0.1

const NO_HOLD = [0, 0] as const
const KIB = 1024

/**
 * Bad for the flow first: the weights are how often each is drawn. Where there is only one to
 * choose from nothing is drawn for it, so that the seeds of two sites and one stream keep their
 * meaning.
 */
function specsOf(shape: LabShape): FaultSpec[] {
  const targets = targetsOf(shape)
  const sites = sitesInOrder(shape)
  const databases = databasesOf(shape)
  const sources = databases.filter(({ role }) => role === 'origin')
  const replicas = databases.filter(({ role }) => role === 'copy')
  const copySite = (random: Random) => {
    return choose(random, [...new Set(replicas.map(({ site }) => site))])
  }
  return [
    ...onTargets('kill', targets, [0.5, 10]),
    ...onTargets('stop', targets, [1, 90]),
    ...onTargets('restart', targets, [0.5, 5]),
    ...wanSpecs(shape),
    ...sourceSpecs(sources.map(({ name }) => name)),
    spec('disk-full', 5, [2, 60], (random) => ({
      kind: 'disk-full',
      freeBytes: pick(random, [0, 40, 1024]) * KIB,
      site: copySite(random),
    })),
    spec('link-flap', 4, [5, 60], (random) => ({
      kind: 'link-flap',
      openMs: pick(random, [200, 1_000, 4_000]),
      site: choose(random, sources).site,
    })),
    spec('second-gateway', 3, [10, 60], (random) => ({
      kind: 'second-gateway',
      sameData: random() < 0.3,
      site: copySite(random),
    })),
    ...onSites(sites, 'clock-step', 2, (site, random) => ({
      kind: 'clock-step',
      site,
      stepMs: pick(random, [-3_600_000, -90_000, -2_000, 2_000, 90_000, 3_600_000]),
    })),
    spec('replica-stop', 2, [5, 90], (random) => ({
      kind: 'replica-stop',
      at: choose(random, replicas).name,
    })),
    spec('twin-replica', 2, [5, 30], (random) => {
      const { name, site } = choose(random, replicas)
      return { kind: 'twin-replica', at: name, site }
    }),
    ...onSites(sites, 'certificate expired', 1, (site) => certificate(site, 'expired')),
    ...onSites(sites, 'certificate wrong-authority', 1, (site) =>
      certificate(site, 'wrong-authority'),
    ),
  ]
}

function sourceSpecs(sources: readonly DatabaseName[]): FaultSpec[] {
  const source = (random: Random) => choose(random, sources)
  return [
    spec('flush-logs', 4, NO_HOLD, (random) => ({
      kind: 'flush-logs',
      times: 1 + int(random, 5),
      at: source(random),
    })),
    spec('many-files', 2, NO_HOLD, (random) => ({
      kind: 'many-files',
      times: pick(random, [100, 300, 1_000]),
      at: source(random),
    })),
    spec('huge-gtid-set', 2, NO_HOLD, (random) => ({
      kind: 'huge-gtid-set',
      parts: pick(random, [500, 2_000, 8_000]),
      at: source(random),
    })),
    spec('dump-kill', 6, NO_HOLD, (random) => ({
      kind: 'dump-kill',
      times: 1 + int(random, 4),
      bytes: pick(random, [64, 1024, 6 * 1024]) * KIB,
      at: source(random),
    })),
  ]
}

interface WeightedTarget {
  readonly target: Target
  /** Of kill, stop and restart. */
  readonly weights: readonly [number, number, number]
}

/** The origin of the first stream, then the others: as they were drawn when there were two. */
function sitesInOrder({ sites, streams }: LabShape): SiteName[] {
  const first = streams[0]?.origin
  return [...sites.filter((site) => site === first), ...sites.filter((site) => site !== first)]
}

function targetsOf(shape: LabShape): WeightedTarget[] {
  const sites = sitesInOrder(shape)
  const databases = databasesOf(shape)
  const database = (role: 'origin' | 'copy', weights: WeightedTarget['weights']) =>
    databases.filter((one) => one.role === role).map(({ name }) => ({ target: name, weights }))
  return [
    ...sites.map((site, index) => ({
      target: gatewayName(site),
      weights: [index === 0 ? 6 : 7, 4, 2] as const,
    })),
    ...sites.map((site) => ({ target: `${site}-wireguard` as const, weights: [4, 3, 2] as const })),
    ...database('origin', [3, 2, 1]),
    ...database('copy', [2, 1, 1]),
  ]
}

type WanChange = Extract<FaultAction, { kind: 'wan' }>['change']

/** Of several sites the whole WAN at times, and at times what is between two of them. */
function wanSpecs({ sites }: LabShape): FaultSpec[] {
  const pairs = pairsOf(sites)
  const places = pairs.length === 1 ? [null] : [null, ...pairs]
  const wan = (
    name: string,
    weight: number,
    change: (random: Random) => WanChange,
    holdSeconds: readonly [number, number] = [5, 60],
  ) =>
    spec(`wan ${name}`, weight, holdSeconds, (random) => ({
      kind: 'wan',
      name,
      change: change(random),
      between: choose(random, places),
    }))
  return [
    wan('cut', 6, () => ({ cut: true }), [1, 60]),
    wan('blackhole', 5, (random) => ({ blackhole: random() < 0.5 ? 'a-to-b' : 'b-to-a' }), [1, 60]),
    wan('loss', 3, () => ({ lossPercent: 5 })),
    wan('delay', 2, () => ({ delayMs: 300 })),
    wan('reorder', 2, () => ({ delayMs: 20, jitterMs: 10, reorderPercent: 25 })),
    // A router's queue, not one that holds half a minute.
    wan('rate', 2, () => ({ rateBps: 256_000, queueBytesMax: 64 * KIB })),
    wan('mtu', 3, (random) => ({ dropAboveBytes: pick(random, [1_300, 1_100, 600]) }), [2, 60]),
  ]
}

export function faultNames(shape: LabShape): string[] {
  return specsOf(shape).map(({ name }) => name)
}

/** What will go wrong when: the same options give the same plan, on every machine. */
export function planFaults(options: ScheduleOptions): Step[] {
  const random = seededRandom(options.seed)
  const specs = specsOf(options.shape).filter(({ name }) => isWanted(name, options.only))
  const steps: Step[] = []
  if (specs.length === 0) return steps
  let atMs = 0
  while (atMs < options.seconds * 1_000) {
    atMs += between(random, PAUSE_MS)
    const first = drawFault(specs, random, options.scale)
    const faults = [{ fault: first, offsetMs: 0 }]
    if (random() < CHANCE_OF_PAIR) {
      const second = drawFault(specs, random, options.scale)
      const offsetMs = Math.round(random() * (first.holdMs + 500))
      if (mayOverlap(first, second)) faults.push({ fault: second, offsetMs })
    }
    const awaitsRecovery = random() >= CHANCE_OF_HASTE
    steps.push({ index: steps.length + 1, atMs: Math.round(atMs), faults, awaitsRecovery })
    atMs += Math.max(...faults.map(({ fault, offsetMs }) => offsetMs + fault.holdMs))
    atMs += RECOVERY_MS_PLANNED
  }
  return steps
}

function isWanted(name: string, only: readonly string[] | undefined): boolean {
  return only === undefined || only.some((start) => name.startsWith(start))
}

function drawFault(specs: readonly FaultSpec[], random: Random, scale: number): Fault {
  const total = specs.reduce((sum, { weight }) => sum + weight, 0)
  let rest = random() * total
  const drawn = specs.find(({ weight }) => {
    rest -= weight
    return rest < 0
  })
  const chosen = drawn ?? specs.at(-1)
  if (chosen === undefined) throw new TypeError('a plan needs a kind of fault')
  const action = chosen.draw(random)
  const [least, most] = chosen.holdSeconds
  const seconds = most === 0 ? 0 : least * (most / least) ** random()
  return { action, holdMs: Math.max(HOLD_MS_MIN, Math.round(seconds * 1_000 * scale)) }
}

function spec(
  name: string,
  weight: number,
  holdSeconds: readonly [number, number],
  draw: (random: Random) => FaultAction,
): FaultSpec {
  return { name, weight, holdSeconds, draw }
}

const KINDS = ['kill', 'stop', 'restart'] as const

function onTargets(
  kind: (typeof KINDS)[number],
  targets: readonly WeightedTarget[],
  holdSeconds: readonly [number, number],
): FaultSpec[] {
  return targets.map(({ target, weights }) => {
    const action: FaultAction = { kind, target }
    // Nobody heals a wireguard-go that has ended: its gateway does, at once.
    const hold = kind !== 'stop' && target.endsWith('-wireguard') ? NO_HOLD : holdSeconds
    return spec(faultName({ action }), weights[KINDS.indexOf(kind)] ?? 0, hold, () => action)
  })
}

function onSites(
  sites: readonly SiteName[],
  name: string,
  weight: number,
  draw: (site: SiteName, random: Random) => FaultAction,
): FaultSpec[] {
  return sites.map((site) =>
    spec(`${name} ${site}`, weight, [5, 30], (random) => draw(site, random)),
  )
}

function certificate(site: SiteName, flaw: CertificateFlaw): FaultAction {
  return { kind: 'certificate', site, flaw }
}

/** The only one without a draw. */
function choose<T>(random: Random, values: readonly T[]): T {
  const [only] = values
  return values.length === 1 && only !== undefined ? only : pick(random, values)
}

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[int(random, values.length)]
  if (value === undefined) throw new TypeError('nothing to choose from')
  return value
}

function int(random: Random, below: number): number {
  return Math.floor(random() * below)
}

function between(random: Random, [least, most]: readonly [number, number]): number {
  return least + random() * (most - least)
}
