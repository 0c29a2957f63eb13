import { isUp, peersOf } from './links.ts'
import type { LinkStatus, Problem } from './status.ts'

/** A link that is down for a moment is how reconnecting looks; longer is worth telling. */
const LINK_DOWN_MS = 2_000
/** So long the other gateway may take to start, when nothing else is known to be wrong. */
const FIRST_LINK_MS = 10_000
const PEER_REMEDY =
  'See that the other gateway runs and that the tunnel is up; it reconnects by itself.'

/** What is wrong with the sessions; of a peer that cannot be reached at all it is one problem. */
export function linkProblems(links: readonly LinkStatus[], nowMs: number): Problem[] {
  const peers = peersOf(links)
  return peers.flatMap((peer) => {
    const where = peers.length === 1 ? 'link' : `link:${peer}`
    const own = links.filter((link) => link.peer === peer)
    const carrying = own.filter(({ carries }) => carries.length > 0)
    const broken = carrying.flatMap((link) => sessionProblem(link, where, nowMs) ?? [])
    if (broken.length > 0) return broken.slice(0, 1)
    const idle = own.filter(({ carries }) => carries.length === 0)
    return idleProblem(idle, carrying, where, nowMs)
  })
}

function sessionProblem(link: LinkStatus, where: string, nowMs: number): Problem | null {
  const { state, lastError, unsteadySinceMs: sinceMs, unsteadySessions: sessions } = link
  if (sinceMs === null) return null
  // It came back once, and will last or not.
  if (state === 'up' && sessions < 2) return null
  const graceMs = lastError === null ? FIRST_LINK_MS : LINK_DOWN_MS
  if (nowMs - sinceMs < graceMs) return null
  const code = lastError?.code ?? 'ERR_LINK_LOST'
  const reason = lastError?.message ?? 'the peer has not connected yet'
  const remedy = lastError?.remedy ?? PEER_REMEDY
  const comesAndGoes = `the link comes and goes, ${sessions} sessions so far, none lasts: ${reason}`
  const message = sessions < 2 ? reason : comesAndGoes
  return { code, severity: 'error', where, message, remedy, sinceMs }
}

/** A session that carries nothing is needed by whatever comes next: a new term, a way back. */
function idleProblem(
  idle: readonly LinkStatus[],
  carrying: readonly LinkStatus[],
  where: string,
  nowMs: number,
): Problem[] {
  const broken = idle.flatMap((link) => {
    const problem = sessionProblem(link, where, nowMs)
    return problem === null ? [] : [{ link, problem }]
  })
  const [first] = broken
  if (first === undefined) return []
  const { peer, role } = first.link
  const isReached = carrying.some(isUp) || idle.some(isUp)
  const direction = role === 'receiver' ? `from ${peer}` : `to ${peer}`
  const what = isReached ? `nothing could flow ${direction} if the origin moved` : `${peer} is away`
  const { problem } = first
  return [{ ...problem, severity: 'warning', message: `${what}: ${problem.message}` }]
}
