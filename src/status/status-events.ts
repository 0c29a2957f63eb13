import { durationText } from '../base/quantity-text.ts'
import { isUp, mainLinks } from './links.ts'
import type { GatewayStatus, LinkStatus, Problem, StreamStatus } from './status.ts'

/** Something that is either so or so, and of which it is told when it changes. */
export interface Condition {
  /** Names it over restarts. */
  readonly key: string
  readonly kind: 'problem' | 'objective' | 'role' | 'link'
  /** What it is now; what is not listed is in its usual state. */
  readonly state: string
  /** For people, of now. */
  readonly what: string
  readonly severity: Problem['severity'] | 'info'
  readonly detail: Readonly<Record<string, unknown>>
}

/** Of which the objective itself is told. */
const OBJECTIVE_CODE = 'ERR_LAG_OBJECTIVE'
/** A problem that is over is not listed any more. */
export const USUAL_STATE = 'over'

type Facts = Pick<GatewayStatus, 'problems' | 'links' | 'streams'>

/** What of a status is worth an event when it changes. */
export function conditionsOf({ problems, links, streams }: Facts): Condition[] {
  return [
    ...problems.filter(({ code }) => code !== OBJECTIVE_CODE).map(problemCondition),
    ...mainLinks(links).map(linkCondition),
    ...streams.flatMap((stream) => [roleCondition(stream), ...objectiveConditions(stream)]),
  ]
}

/** In the words of `conditionsOf`, of one that is not listed any more. */
export function overCondition({ key, kind, what, detail }: Condition): Condition {
  return { key, kind, state: USUAL_STATE, what: `over: ${what}`, severity: 'info', detail }
}

function problemCondition({ code, severity, where, message, remedy }: Problem): Condition {
  return {
    key: `problem:${code}:${where}`,
    kind: 'problem',
    state: 'on',
    what: `${where}: ${message}`,
    severity,
    detail: { code, where, ...(remedy !== undefined && { remedy }) },
  }
}

function linkCondition(link: LinkStatus): Condition {
  const { peer, lastError } = link
  const up = isUp(link)
  const why = lastError === null ? '' : `: ${lastError.message}`
  return {
    key: `link:${peer}`,
    kind: 'link',
    state: up ? 'up' : 'down',
    what: up ? `the link to ${peer} is up` : `the link to ${peer} is down${why}`,
    severity: up ? 'info' : 'warning',
    detail: { peer, ...(!up && lastError !== null && { code: lastError.code }) },
  }
}

function objectiveConditions({ name, objective }: StreamStatus): Condition[] {
  const { maxMs } = objective
  return (['exposure', 'apply'] as const).flatMap((subject) => {
    const judged = objective[subject]
    if (judged === null) return []
    const isBreached = judged.state === 'breached'
    const what = subject === 'exposure' ? 'the exposure' : 'the apply lag'
    const standing = isBreached ? 'is above' : 'is within'
    return {
      key: `objective:${name}:${subject}`,
      kind: 'objective',
      state: judged.state,
      what: `${what} of ${name} ${standing} the objective of ${durationText(maxMs)}`,
      severity: isBreached ? 'error' : 'info',
      detail: { stream: name, objective: subject, maxMs },
    } as const
  })
}

function roleCondition({ name, role, term }: StreamStatus): Condition {
  const { term: number, origin, by, reason } = term
  const decided = by === null ? '' : `, decided at ${by}: ${reason ?? 'no reason given'}`
  return {
    key: `role:${name}`,
    kind: 'role',
    state: `${number} ${origin}`,
    what: `this site is ${role === 'origin' ? 'the origin' : 'a copy'} of ${name}${decided}`,
    severity: 'info',
    detail: { stream: name, role, term: number, origin, by, reason },
  }
}
