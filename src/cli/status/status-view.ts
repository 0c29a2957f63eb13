import { hanging } from '../../base/plain-text.ts'
import { agoText, bytesText, durationText, plural } from '../../base/quantity-text.ts'
import { mainLinks } from '../../status/links.ts'
import type {
  ExposureStatus,
  GatewayStatus,
  LagStatus,
  LinkStatus,
  PositionStatus,
  Problem,
  ReplicaStatus,
  StreamStatus,
  ThrottleStatus,
  TunnelPeerStatus,
  TunnelStatus,
  Verdict,
} from '../../status/status.ts'
import type { Paint } from '../terminal/paint.ts'
import { answersOf } from './copies-answers.ts'

type Row = readonly [label: string, value: string]

const LABEL_COLUMNS = 20

/** A status, and those of the gateways at the copies, as far as they answered. */
export interface ShownStatus {
  readonly status: GatewayStatus
  readonly copies: readonly GatewayStatus[]
}

/** The whole status for people: the answers first, then each station, then what is wrong. */
export function renderStatus({ status, copies }: ShownStatus, paint: Paint): string {
  return [
    headline(status, paint),
    answersOf(status, copies)
      .map((verdict) => verdictLine(verdict, paint))
      .join('\n'),
    problemsBlock(status, paint),
    tunnelBlock(status, paint),
    ...mainLinks(status.links).map((link) => linkBlock(link, status, paint)),
    ...status.streams.map((stream) => streamBlock(stream, paint)),
  ]
    .filter((block) => block !== '')
    .map((block) => `${block}\n`)
    .join('\n')
}

/** One line, for `--watch` where there is no terminal to repaint. */
export function renderStatusLine(status: GatewayStatus): string {
  const time = new Date(status.nowMs).toISOString().slice(0, 19)
  const parts = [`${time}Z ${status.name} ${status.state}`, tunnelText(status.tunnel)]
  const main = mainLinks(status.links)
  for (const { peer, state } of main) {
    parts.push(main.length === 1 ? `link ${state}` : `link to ${peer} ${state}`)
  }
  for (const { name, state, receiveLag, exposure, replicas } of status.streams) {
    parts.push(`${name} ${state}`)
    if (receiveLag !== null) parts.push(`lag ${lagText(receiveLag)}`)
    if (exposure !== null) parts.push(`exposed ${exposedText(exposure)}`)
    for (const { serverId, applyLag } of replicas) {
      parts.push(`replica ${serverId} ${applyLag === null ? '-' : lagText(applyLag)}`)
    }
  }
  for (const { code, where } of status.problems) parts.push(`${code} at ${where}`)
  return `${parts.join(' | ')}\n`
}

export function headline(status: GatewayStatus, paint: Paint): string {
  const color = { ok: paint.good, degraded: paint.warn, blocked: paint.bad }[status.state]
  const upFor = durationText(status.nowMs - status.startedAtMs)
  const where = status.site === status.name ? '' : ` at ${status.site}`
  const who = `${paint.head(status.name)}${where} (${rolesText(status)})`
  return `${who}: ${color(status.state)}, landbridge ${status.version}, running ${upFor}`
}

/** What this site is for its streams. */
function rolesText({ streams }: GatewayStatus): string {
  return [...new Set(streams.map(({ role }) => role))].sort().reverse().join(' and ')
}

export function verdictLine({ question, stream, mood, answer }: Verdict, paint: Paint): string {
  const color = { good: paint.good, warn: paint.warn, bad: paint.bad }[mood]
  const subject = stream === null ? '' : `${stream}: `
  return `  ${question.padEnd(LABEL_COLUMNS)}${color(`${subject}${answer}`)}`
}

function problemsBlock({ problems, nowMs }: GatewayStatus, paint: Paint): string {
  if (problems.length === 0) return ''
  const lines = problems.flatMap((problem) => problemLines(problem, nowMs, paint))
  return [paint.head('problems'), ...lines].join('\n')
}

export function problemLines(problem: Problem, nowMs: number, paint: Paint): string[] {
  const { severity, where, message, code, remedy, sinceMs } = problem
  const color = { warning: paint.warn, error: paint.bad, blocked: paint.bad }[severity]
  const since = sinceMs === 0 ? '' : `, for ${durationText(Math.max(0, nowMs - sinceMs))}`
  const age = paint.dim(`(${code}${since})`)
  const lines = [`  ${color(severity)} ${where}: ${hanging(message, 6)} ${age}`]
  if (remedy !== undefined) lines.push(`    remedy: ${hanging(remedy, 6)}`)
  return lines
}

function tunnelText({ state, peers }: TunnelStatus): string {
  if (peers.length < 2) return `tunnel ${state}`
  return `tunnel ${peers.map((peer) => `${peer.name} ${peer.state}`).join(', ')}`
}

function tunnelBlock({ tunnel }: GatewayStatus, paint: Paint): string {
  const { backend, state, localAddress, peers } = tunnel
  if (backend === 'external') return ''
  const mtu: Row = ['mtu', tunnel.mtu === null ? '-' : String(tunnel.mtu)]
  const [peer] = peers
  const rows: readonly Row[] =
    peer === undefined || peers.length > 1
      ? [['address', localAddress ?? '-'], mtu, ...peers.map(peerRow)]
      : [
          ['addresses', `${localAddress ?? '-'} to ${peer.address}`],
          ['endpoint', peer.endpoint ?? '(none)'],
          mtu,
          ['latest handshake', agoText(peer.handshakeAgeMs)],
          ['transfer', transferText(peer)],
        ]
  const title = `tunnel: ${tunnel.interface ?? '-'}`
  return block(paint, title, [['state', `${state}, ${backend} back end`], ...rows])
}

function peerRow(peer: TunnelPeerStatus): Row {
  const { name, state, address, endpoint, handshakeAgeMs } = peer
  const where = `${address} at ${endpoint ?? '(none)'}`
  const handshake = `latest handshake ${agoText(handshakeAgeMs)}`
  return [`to ${name}`, [state, where, handshake, transferText(peer)].join(', ')]
}

function linkBlock(link: LinkStatus, { links, nowMs }: GatewayStatus, paint: Paint): string {
  const since = link.sinceMs === null ? '' : ` for ${durationText(nowMs - link.sinceMs)}`
  const rows: Row[] = [
    ['state', `${link.state}${since}, ${plural(link.sessions, 'session')} since start`],
    ['round trip', durationText(link.roundTripMs)],
    ['clock offset', clockText(link)],
    ['transfer', transferText(link)],
  ]
  if (link.lastError !== null) {
    const { code, message, atMs } = link.lastError
    const text = hanging(message, LABEL_COLUMNS + 4)
    rows.push(['last error', `${text} (${code}, ${agoText(nowMs - atMs)})`])
  }
  const back = links.find((other) => other.peer === link.peer && other !== link)
  if (back !== undefined) rows.push([`as ${back.role}`, backText(back)])
  return block(paint, `link: ${link.peer}`, rows)
}

function clockText({ clockOffsetMs: ahead, clockDoubtMs: doubt }: LinkStatus): string {
  if (ahead === null) return '-'
  return `${ahead.toFixed(1)} ms${doubt === null ? '' : ` (± ${doubt.toFixed(1)} ms)`}`
}

/** The session in the other direction, in a line. */
function backText({ state, carries }: LinkStatus): string {
  return `${state}${carries.length === 0 ? ', carries nothing' : ''}`
}

/** What this site is for the stream, and who decided that. */
function roleText({ role, term: { term, origin, by, sinceMs, reason } }: StreamStatus): string {
  const what = role === 'origin' ? 'origin' : `copy of ${origin}`
  if (sinceMs === null) return what
  const when = new Date(sinceMs).toISOString().slice(0, 16).replace('T', ' ')
  const why = hanging(reason ?? '', LABEL_COLUMNS + 4)
  return `${what} since term ${term} (${when} UTC, by ${by ?? '-'}: ${why})`
}

function copyRows({ copies }: StreamStatus): Row[] {
  if (copies.length < 2) return []
  return copies.map(({ peer, state, sentBytes, inFlightBytes }) => [
    `copy ${peer}`,
    `${state}, ${bytesText(sentBytes)} sent, ${bytesText(inFlightBytes)} under way`,
  ])
}

function streamBlock(stream: StreamStatus, paint: Paint): string {
  const { source, spool, throttle } = stream
  const rows: Row[] = [
    ['role', roleText(stream)],
    ['state', stream.state],
    ...copyRows(stream),
    ['source', sourceText(stream)],
    ['source position', positionText(source.position)],
  ]
  if (spool !== null) rows.push(['synced position', positionText(spool.synced)])
  rows.push(...exposureRows(stream), ...lagRows('lag', stream.receiveLag))
  const bytes = bytesText(stream.bytesReceived)
  // Production reads bytes and passes them on: transactions are counted where they are synced.
  if (spool === null) rows.push(['read', bytes])
  else rows.push(['received', `${plural(stream.transactionsReceived, 'transaction')}, ${bytes}`])
  if (spool !== null) {
    const from = `from ${spool.oldestFile ?? '-'} in ${spool.directory}`
    rows.push(['spool', `${plural(spool.files, 'file')}, ${bytesText(spool.bytes)}, ${from}`])
    rows.push(...claimRows(spool.claims, stream.replicas))
  }
  if (throttle.bytesPerSecond !== null) rows.push(['rate limit', throttleText(throttle)])
  const flavor = stream.flavor === null ? '' : ` (${stream.flavor})`
  const head = block(paint, `stream: ${stream.name}${flavor}`, rows)
  return [head, ...stream.replicas.map((replica) => replicaLines(replica, paint))].join('\n')
}

function throttleText({ bytesPerSecond, reason, waitingBytes }: ThrottleStatus): string {
  const rate = bytesPerSecond === 0 ? 'paused' : `${bytesText(bytesPerSecond)} per second`
  const waiting = waitingBytes === 0 ? '' : `; ${bytesText(waitingBytes)} wait`
  return hanging(`${rate} (${reason ?? '-'})${waiting}`, LABEL_COLUMNS + 4)
}

/** What is kept for whom no block of its own is shown. */
function claimRows(
  claims: NonNullable<StreamStatus['spool']>['claims'],
  replicas: readonly ReplicaStatus[],
): Row[] {
  const names = replicas.flatMap((one) => [one.serverUuid, `id:${one.serverId}`])
  const known = new Set(names.map((name) => `replica:${name}`))
  const others = claims.filter(({ claim }) => !known.has(claim))
  return others.map(({ claim, file, ageMs }) => [
    'kept for',
    `${claim.replace(':', ' ')}, from ${file ?? '-'}, heard of ${agoText(ageMs)}`,
  ])
}

function replicaLines(replica: ReplicaStatus, paint: Paint): string {
  const rows: Row[] = [['state', replica.state]]
  if (replica.sent !== null) rows.push(['sent', `${replica.sent.file}:${replica.sent.offset}`])
  if (replica.retainsFile !== null) rows.push(['needs', `from ${replica.retainsFile}`])
  rows.push(...lagRows('apply lag', replica.applyLag))
  rows.push(...delayRows(replica))
  const { filters, leftOut } = replica
  if (filters?.length) rows.push(['leaves out data', paint.bad(filters.join(', '))])
  else if (leftOut) rows.push(['left out data', paint.bad(`while it had ${leftOut}`)])
  if (replica.applyError !== null) rows.push(['error', paint.bad(replica.applyError)])
  const title = `replica: ${replica.serverId} at ${replica.address}`
  return block(paint, title, rows).replaceAll(/^/gm, '  ')
}

/** What somebody chose, so that an error can be caught before it is applied. */
function delayRows({ delaySeconds, remainingDelaySeconds: left }: ReplicaStatus): Row[] {
  if (!delaySeconds) return []
  const next = left === null ? '' : `, the next in ${durationText(left * 1000)}`
  return [['applies late', `${durationText(delaySeconds * 1000)} on purpose${next}`]]
}

function lagRows(label: string, lag: LagStatus | null): Row[] {
  if (lag === null) return []
  const proof = lag.provenAgoMs === null ? '' : `, asked ${agoText(lag.provenAgoMs)}`
  const left = lag.catchUpMs === null ? '' : `, caught up in ${durationText(lag.catchUpMs)}`
  const rows: Row[] = [[label, `${lagText(lag)}${proof}${left}`]]
  const delay = lag.windows.minute
  if (delay === null) return rows
  const { p50Ms, p95Ms, p99Ms, maxMs } = delay
  const [p50, p95, p99, max] = [p50Ms, p95Ms, p99Ms, maxMs].map(durationText)
  return [...rows, ['delay, last minute', `p50 ${p50}, p95 ${p95}, p99 ${p99}, max ${max}`]]
}

function exposureRows({ exposure, objective }: StreamStatus): Row[] {
  if (exposure === null) return []
  const { atLeast, atMost, isIdle } = exposure
  const least = [plural(atLeast.transactions, 'transaction'), bytesText(atLeast.bytes)].join(', ')
  const most = [durationText(atMost.ms), plural(atMost.transactions, 'transaction')].join(', ')
  const known = atLeast.transactions === 0 ? '' : `; for sure ${least}`
  const rows: Row[] = [
    ['exposed', isIdle ? 'nothing: the source is idle' : `at most ${most}${known}`],
  ]
  if (objective.maxMs === null) return rows
  const states = [objective.exposure?.state ?? '-', objective.apply?.state ?? '-']
  const text = `${durationText(objective.maxMs)}: exposure ${states[0]}, apply ${states[1]}`
  return [...rows, ['objective', text]]
}

function lagText({ ms, transactions, bytes }: LagStatus): string {
  if (ms === null) return 'unknown'
  return [durationText(ms), plural(transactions, 'transaction'), bytesText(bytes)].join(', ')
}

function exposedText({ isIdle, atMost: { ms, transactions } }: ExposureStatus): string {
  if (isIdle) return 'nothing'
  return `at most ${durationText(ms)}, ${plural(transactions, 'transaction')}`
}

function sourceText({ source }: StreamStatus): string {
  const version = source.serverVersion === null ? '' : `, ${source.serverVersion}`
  const id = source.serverId === null ? '' : `, server id ${source.serverId}`
  const heard = source.connected
    ? 'connected'
    : `not connected, heard ${agoText(source.heardAgoMs)}`
  return `${source.host ?? '-'}${version}${id}, ${heard}`
}

function positionText(position: PositionStatus | null): string {
  if (position === null) return '-'
  const { epoch, file, offset, gtids } = position
  const of = epoch === null ? '' : ` (epoch ${epoch})`
  // A source without files: its GTIDs are all there is.
  return file === null ? `${gtids || '-'}${of}` : `${file}:${offset}${of}`
}

function transferText(bytes: {
  readonly receivedBytes: number
  readonly sentBytes: number
}): string {
  return `${bytesText(bytes.receivedBytes)} received, ${bytesText(bytes.sentBytes)} sent`
}

function block(paint: Paint, title: string, rows: readonly Row[]): string {
  const lines = rows.map(([label, value]) => `  ${label.padEnd(LABEL_COLUMNS)}${value}`)
  return [paint.head(title), ...lines].join('\n')
}
