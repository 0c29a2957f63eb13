import type { Problem } from '../../../status/status.ts'
import type { ViewMessage } from '../protocol.ts'
import { isOld, sidesOf } from './streams.ts'

export interface ShownProblem extends Problem {
  readonly key: string
  readonly gateway: string
  /** The gateway that said it has not been heard for some time. */
  readonly isOld: boolean
}

const RANK = { blocked: 0, error: 1, warning: 2 } as const

/** Of all gateways, the worst first, the oldest of equals first. */
export function problemsOf(view: ViewMessage): ShownProblem[] {
  const all = sidesOf(view).flatMap((side) =>
    (side.status?.problems ?? []).map((problem) => ({
      ...problem,
      key: `${side.gateway} ${problem.where} ${problem.code}`,
      gateway: side.gateway,
      isOld: isOld(side),
    })),
  )
  return all.sort((a, b) => RANK[a.severity] - RANK[b.severity] || a.sinceMs - b.sinceMs)
}

/** The worst of all gateways, for the title and the head of the page. */
export function worstOf(problems: readonly ShownProblem[]): 'ok' | 'degraded' | 'blocked' {
  if (problems.length === 0) return 'ok'
  return problems.some(({ severity }) => severity === 'blocked') ? 'blocked' : 'degraded'
}
