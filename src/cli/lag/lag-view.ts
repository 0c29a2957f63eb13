import { agoText, bytesText, durationText, plural } from '../../base/quantity-text.ts'
import type { HistoryAnswer } from '../../gateway/lag-history-operation.ts'
import type {
  DelayWindow,
  GatewayStatus,
  LagStatus,
  ReplicaStatus,
  StreamStatus,
} from '../../status/status.ts'
import { blockChart } from '../terminal/chart.ts'
import type { Paint } from '../terminal/paint.ts'

/** What `lag --json` prints, a line a stream. */
export interface LagView {
  readonly schema: 1
  readonly gateway: string
  readonly nowMs: number
  readonly stream: Pick<
    StreamStatus,
    'name' | 'role' | 'term' | 'exposure' | 'receiveLag' | 'objective' | 'rates'
  >
  readonly replicas: readonly Pick<ReplicaStatus, 'serverId' | 'address' | 'applyLag'>[]
  readonly history: HistoryAnswer
}

const LABEL_COLUMNS = 20
const CHART_ROWS = 6
const SCALE_COLUMNS = 12
const COLUMNS_MIN = 40

export function lagViewOf(
  { name: gateway, nowMs }: GatewayStatus,
  stream: StreamStatus,
  history: HistoryAnswer,
): LagView {
  const { name, role, term, exposure, receiveLag, objective, rates } = stream
  return {
    schema: 1,
    gateway,
    nowMs,
    stream: { name, role, term, exposure, receiveLag, objective, rates },
    replicas: stream.replicas.map(({ serverId, address, applyLag }) => {
      return { serverId, address, applyLag }
    }),
    history,
  }
}

/** How many points a chart of so many columns has. */
export function chartPoints(columns: number | undefined): number {
  return Math.max(COLUMNS_MIN, columns ?? 80) - SCALE_COLUMNS
}

export function renderLag(view: LagView, paint: Paint, columns: number | undefined): string {
  const { stream, replicas } = view
  const lines = [
    paint.head(`stream: ${stream.name}`),
    ...exposureLines(view, paint),
    ...lagLines('behind the source', stream.receiveLag),
    ...replicas.flatMap((one) => lagLines(`replica ${one.serverId}`, one.applyLag)),
    ...objectiveLines(view, paint),
    ...windowLines(view),
  ]
  return `${[...lines, '', ...chartLines(view, paint, columns)].join('\n')}\n`
}

function row(label: string, value: string): string {
  return `  ${label.padEnd(LABEL_COLUMNS)}${value}`
}

function exposureLines({ stream }: LagView, paint: Paint): string[] {
  const { exposure, role, term } = stream
  if (role === 'origin') return [row('exposed', 'is measured at the copies: ask one with --peer')]
  if (exposure === null || exposure.atLeast.ms === null) {
    return [row('exposed', paint.warn(`unknown: nothing was heard of ${term.origin} yet`))]
  }
  if (exposure.isIdle) return [row('exposed', paint.good('nothing: the source is idle'))]
  const { atMost, atLeast } = exposure
  const count =
    atMost.transactions === null ? '' : `, ${plural(atMost.transactions, 'transaction')}`
  const most = atMost.ms === null ? 'not known how much' : `the last ${durationText(atMost.ms)}`
  const least = [plural(atLeast.transactions, 'transaction'), bytesText(atLeast.bytes)].join(', ')
  return [row('exposed at most', `${most}${count}`), row('missing for sure', least)]
}

function lagLines(label: string, lag: LagStatus | null): string[] {
  if (lag === null) return []
  if (lag.ms === null) return [row(label, 'unknown')]
  const off = lag.uncertaintyMs === null ? '' : ` (± ${durationText(lag.uncertaintyMs)})`
  const amount = [plural(lag.transactions, 'transaction'), bytesText(lag.bytes)].join(', ')
  const left = lag.catchUpMs === null ? '' : `; caught up in ${durationText(lag.catchUpMs)}`
  const asked = `, asked ${agoText(lag.provenAgoMs)}`
  return [row(label, `${durationText(lag.ms)}${lag.ms > 0 ? off : ''}, ${amount}${asked}${left}`)]
}

function objectiveLines({ stream: { objective }, nowMs }: LagView, paint: Paint): string[] {
  if (objective.maxMs === null) return []
  const parts = (['exposure', 'apply'] as const).flatMap((subject) => {
    const state = objective[subject]
    if (state === null) return []
    const color = state.state === 'met' ? paint.good : paint.bad
    return [`${subject} ${color(state.state)} for ${durationText(nowMs - state.sinceMs)}`]
  })
  const standing = parts.length === 0 ? 'not judged yet' : parts.join(', ')
  return [row('objective', `${durationText(objective.maxMs)}: ${standing}`)]
}

const WINDOWS = { minute: 'last minute', quarterHour: '15 minutes', day: '24 hours' } as const

/** Delays of single transactions since their commit, or since they were synced, as a table. */
function windowLines({ stream, replicas }: LagView): string[] {
  const subjects: [string, LagStatus | null][] = [
    ['synced here', stream.receiveLag],
    ...replicas.map((one): [string, LagStatus | null] => [
      `applied by ${one.serverId}`,
      one.applyLag,
    ]),
  ]
  return subjects.flatMap(([what, lag]) => {
    const known = Object.entries(WINDOWS).flatMap(([name, label]) => {
      const delay = lag?.windows[name as keyof typeof WINDOWS] ?? null
      return delay === null ? [] : [delayRow(label, delay)]
    })
    const head = ['p50', 'p95', 'p99', 'max', 'transactions']
      .map((one) => one.padStart(9))
      .join(' ')
    return known.length === 0 ? [] : ['', `  ${what.padEnd(LABEL_COLUMNS)}${head}`, ...known]
  })
}

function delayRow(label: string, { p50Ms, p95Ms, p99Ms, maxMs, count }: DelayWindow): string {
  const delays = [p50Ms, p95Ms, p99Ms, maxMs].map((ms) => shortText(ms).padStart(9))
  const counted = count.toLocaleString('en-US').padStart(12)
  return row(`  ${label}`, [...delays, counted].join(' '))
}

/** A duration in at most nine columns. */
function shortText(ms: number): string {
  if (ms < 60_000) return durationText(ms)
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`
  return `${(ms / 3_600_000).toFixed(1)} h`
}

function chartLines({ history }: LagView, paint: Paint, columns: number | undefined): string[] {
  const { points, stepMs, nowMs } = history
  const [first] = points
  if (first === undefined) return ['  no history yet']
  const count = chartPoints(columns)
  const endMs = Math.floor(nowMs / stepMs) * stepMs
  const byTime = new Map(points.map((point) => [point.atMs, point]))
  const slots = Math.min(count, Math.round((endMs - first.atMs) / stepMs) + 1)
  const times = Array.from(
    { length: slots },
    (_slot, index) => endMs - (slots - 1 - index) * stepMs,
  )
  const span = `${durationText(slots * stepMs)}, a column is ${durationText(stepMs)}`
  const chart = (what: string, field: 'exposureMs' | 'applyLagMs'): string[] => {
    const values = times.map((atMs) => byTime.get(atMs)?.[field] ?? null)
    const known = values.filter((value) => value !== null)
    if (known.length === 0) return []
    const max = Math.max(...known)
    const lines = blockChart(values, { rows: CHART_ROWS, max })
    const scaled = lines.map((line, index) => {
      const scale = index === 0 ? shortText(max) : index === CHART_ROWS - 1 ? '0' : ''
      return `${scale.padStart(SCALE_COLUMNS - 2)} ${paint.good(line)}`
    })
    return [`  ${paint.head(what)} ${paint.dim(`(${span}; the worst of each)`)}`, ...scaled]
  }
  return [
    ...chart('exposed at most', 'exposureMs'),
    ...chart('replica behind the spool', 'applyLagMs'),
    ...axisLines(times),
  ]
}

/** When the chart begins and ends, by the clock of whoever looks. */
function axisLines(times: readonly number[]): string[] {
  const [first = 0] = times
  const last = times.at(-1) ?? 0
  const [from, to] = [first, last].map((atMs) => new Date(atMs).toISOString().slice(0, 16))
  const texts = [from, to].map((text) => `${text?.replace('T', ' ')} UTC`)
  const gap = Math.max(1, times.length - texts.join('').length)
  return [`${' '.repeat(SCALE_COLUMNS - 1)}${texts.join(' '.repeat(gap))}`]
}
