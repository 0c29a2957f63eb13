import { type Command, InvalidArgumentError } from 'commander'
import { parseDurationMs } from '../../config/quantity.ts'
import { type HistoryAnswer, historyOutput } from '../../gateway/lag-history-operation.ts'
import { findStream } from '../../gateway/stream-choice.ts'
import type { GatewayStatus, StreamStatus } from '../../status/status.ts'
import { ExitCode } from '../exit-code.ts'
import { type AskFlags, addAsking, askGateway } from '../operation/gateway-call.ts'
import { ANSWER_MS_MAX, askStatus } from '../status/asked-status.ts'
import { resolveSocket } from '../status/gateway-socket.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { output } from '../terminal/terminal.ts'
import { chartPoints, lagViewOf, renderLag } from './lag-view.ts'

interface LagFlags extends AskFlags {
  readonly stream?: string
  /** Milliseconds. */
  readonly since: number
  readonly points?: number
}

const SINCE = '15m'
const SINCE_MS = 900_000
const JSON_POINTS = 600
const POINTS_MAX = 2_000

const HELP = `
"exposed" is what a loss of the origin now would cost: known to be missing, and what may have been
committed since the last proof. "behind" is the age of the oldest transaction that is missing.
The history is by seconds for a day, and by minutes for 90 days.

Exit codes: 0 ok, 1 the objective is not met, 2 wrong arguments or configuration, 4 no answer.`

export function addLagCommand(program: Command): void {
  addAsking(program.command('lag'))
    .summary('how far behind each stream is, now and before')
    .description('Says how far behind each stream is and what would be lost, with its history.')
    .option('--stream <name>', 'only this stream')
    .option('--since <duration>', 'how far back the chart goes', durationOf, SINCE_MS)
    .option('--points <count>', `points of the history with --json (${JSON_POINTS})`, countOf)
    .addHelpText('after', HELP)
    .action((flags: LagFlags) => withStopSignal((signal) => show(flags, signal)))
}

async function show(flags: LagFlags, signal: AbortSignal): Promise<void> {
  const status = await askStatus(await resolveSocket(flags), flags.peer, signal)
  const streams =
    flags.stream === undefined ? status.streams : [findStream(status.streams, flags.stream)]
  for (const stream of streams) {
    const view = lagViewOf(status, stream, await historyOf(stream.name, status, flags, signal))
    if (flags.json === true) output.writeJson(view)
    else output.showPainted(view, (plain, paint) => renderLag(plain, paint, output.columns))
  }
  process.exitCode = streams.some(isBreached) ? ExitCode.Failure : ExitCode.Ok
}

async function historyOf(
  stream: string,
  { nowMs }: GatewayStatus,
  flags: LagFlags,
  signal: AbortSignal,
): Promise<HistoryAnswer> {
  const shown = flags.json === true ? JSON_POINTS : chartPoints(output.columns)
  const points = Math.min(POINTS_MAX, flags.points ?? shown)
  const input = { stream, fromMs: Math.max(0, nowMs - flags.since), points }
  const question = {
    ...{ name: 'lag.history', input, output: historyOutput, here: null },
    ...{ permission: 'read' as const, silentMsMax: ANSWER_MS_MAX },
  }
  return (await askGateway(flags, question, signal)).output
}

function isBreached({ objective: { exposure, apply } }: StreamStatus): boolean {
  return [exposure, apply].some((one) => one?.state === 'breached')
}

function durationOf(text: string): number {
  const ms = parseDurationMs(text)
  if (ms === null || ms < 10_000) {
    throw new InvalidArgumentError(`A duration of at least 10s, such as ${SINCE}, 24h or 7d.`)
  }
  return ms
}

function countOf(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 10 && count <= POINTS_MAX) return count
  throw new InvalidArgumentError(`A number from 10 to ${POINTS_MAX}.`)
}
