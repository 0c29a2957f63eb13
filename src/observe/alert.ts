import { createHash } from 'node:crypto'
import { durationText } from '../base/quantity-text.ts'
import type { GatewayStatus, Problem, StreamStatus } from '../status/status.ts'

/** Something that a person should be told of, as Alertmanager names it. */
export interface Alert {
  /** Of the labels: the same alert has the same one, at any time. */
  readonly fingerprint: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAtMs: number
}

/** Of posting alerts itself: whoever could be told of it is the one who cannot be reached. */
const OWN_CODES = ['ERR_WEBHOOK', 'ERR_WEBHOOK_RECORD']
/** Exposure and apply lag share it, and are two alerts. */
const OBJECTIVE_CODE = 'ERR_LAG_OBJECTIVE'
const SEVERITIES = { warning: 'warning', error: 'critical', blocked: 'critical' } as const
const OF_STREAM = ['stream', 'source', 'spool', 'relay', 'replica']
const TEXT_CHARACTERS_MAX = 4_000

/** What of a status is worth calling somebody; each alert once. */
export function alertsOf(status: Facts): Alert[] {
  const told = status.problems.filter(({ code }) => ![...OWN_CODES, OBJECTIVE_CODE].includes(code))
  const alerts = [
    ...told.map((problem) => problemAlert(problem, status)),
    ...status.streams.flatMap((stream) => objectiveAlerts(stream, status)),
  ]
  return [...new Map(alerts.map((alert) => [alert.fingerprint, alert])).values()]
}

type Facts = Pick<GatewayStatus, 'name' | 'site' | 'problems' | 'streams'>
type Sender = Pick<GatewayStatus, 'name' | 'site'>

function objectiveAlerts({ name, objective }: StreamStatus, sender: Sender): Alert[] {
  return (['exposure', 'apply'] as const).flatMap((subject) => {
    const judged = objective[subject]
    if (judged?.state !== 'breached') return []
    const what = subject === 'exposure' ? 'the exposure' : 'the apply lag'
    const problem: Problem = {
      code: OBJECTIVE_CODE,
      severity: 'error',
      where: `stream:${name}`,
      message: `${what} is above the objective of ${durationText(objective.maxMs)}`,
      remedy: 'See what holds the stream back: landbridge status, landbridge lag.',
      sinceMs: judged.sinceMs,
    }
    return [problemAlert(problem, sender, { objective: subject })]
  })
}

function problemAlert(
  { code, severity, where, message, remedy, sinceMs }: Problem,
  { name, site }: Sender,
  more: Readonly<Record<string, string>> = {},
): Alert {
  const [station = '', of] = where.split(':')
  const labels = {
    alertname: alertName(code),
    code,
    gateway: name,
    ...more,
    severity: SEVERITIES[severity],
    site,
    ...(of !== undefined && OF_STREAM.includes(station) && { stream: of }),
    where,
  }
  const description = remedy === undefined ? message : `${message}\nWhat to do: ${remedy}`
  const annotations = {
    description: cut(description),
    ...(remedy !== undefined && { remedy: cut(remedy) }),
    summary: cut(`${name}: ${where}: ${message.split('\n', 1)[0]}`),
  }
  return { fingerprint: fingerprintOf(labels), labels, annotations, startsAtMs: sinceMs }
}

/** `ERR_DISK_FULL` is LandbridgeDiskFull. */
function alertName(code: string): string {
  const words = code.replace(/^ERR_/, '').toLowerCase().split('_')
  const capitals = words.map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`)
  return `Landbridge${capitals.join('')}`
}

/** 16 hex digits, as Alertmanager has them. */
export function fingerprintOf(labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16)
}

function cut(text: string): string {
  return text.length <= TEXT_CHARACTERS_MAX ? text : `${text.slice(0, TEXT_CHARACTERS_MAX)}…`
}
