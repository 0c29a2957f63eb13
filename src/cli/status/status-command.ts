import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { describeError, isAbortError, isLandbridgeError } from '../../base/errors.ts'
import type { GatewayStatus } from '../../status/status.ts'
import { errorJson } from '../error-report.ts'
import { ExitCode } from '../exit-code.ts'
import { output } from '../terminal/terminal.ts'
import { ANSWER_MS_MAX, askStatus } from './asked-status.ts'
import { askCopies } from './copies-answers.ts'
import { type GatewayChoice, resolveSocket } from './gateway-socket.ts'
import { renderStatus, renderStatusLine, type ShownStatus } from './status-view.ts'
import { renderWatch } from './status-watch-view.ts'

interface StatusOptions extends GatewayChoice {
  readonly json?: boolean
  readonly watch?: boolean
  readonly interval: number
  readonly live?: boolean
  readonly peer?: string
}

const HELP = `
Exit codes: 0 ok, 1 degraded, 2 wrong arguments or configuration, 3 blocked, 4 no answer.
Without --config or --socket the only gateway of this machine is asked. What --json prints has a
JSON Schema in the package, landbridge/status.schema.json.`

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .summary('tunnel, lag, and what a failover would lose')
    .description('Asks a running gateway: is the tunnel up, what is the lag, can I fail over?')
    .option('-c, --config <file>', 'configuration of the gateway to ask')
    .option('-s, --socket <path>', 'admin socket of the gateway to ask')
    .option('--json', 'print the status as one JSON object')
    .option('-w, --watch', 'repeat until Ctrl-C')
    .option('-i, --interval <seconds>', 'pause of --watch', secondsOf, 1)
    .option('--peer <name>', 'ask this other gateway, through the one that is named')
    .option('--live', 'only whether the process answers, for container health checks')
    .addHelpText('after', HELP)
    .action(async (options: StatusOptions) => {
      const socket = await resolveSocket(options)
      if (options.watch === true) return watch(socket, options)
      const status = await askStatus(socket, options.peer, AbortSignal.timeout(ANSWER_MS_MAX))
      // What is wrong elsewhere is no reason to restart this gateway.
      if (options.live === true) return
      if (options.json === true) output.writeJson(status)
      else output.showPainted(await shownOf(status, socket, options), renderStatus)
      process.exitCode = exitCodeOf(status)
    })
}

/** With what the copies say; of a peer that is asked only what it says itself. */
async function shownOf(
  status: GatewayStatus,
  socket: string,
  { peer }: StatusOptions,
  signal: AbortSignal = AbortSignal.timeout(ANSWER_MS_MAX),
): Promise<ShownStatus> {
  return { status, copies: peer === undefined ? await askCopies(socket, status, signal) : [] }
}

export function exitCodeOf({ state }: GatewayStatus): ExitCode {
  return { ok: ExitCode.Ok, degraded: ExitCode.Failure, blocked: ExitCode.Blocked }[state]
}

/** Goes on when the gateway does not answer: a watcher wants to see it come back. */
async function watch(socket: string, options: StatusOptions): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const { signal } = stopping
  const isScreen = options.json !== true && output.isScreen
  if (isScreen) output.enterScreen()
  try {
    while (!signal.aborted) {
      await watchOnce(socket, options, isScreen, signal)
      await sleep(options.interval * 1000, undefined, { signal })
    }
  } catch (error) {
    if (!isAbortError(error)) throw error
  } finally {
    if (isScreen) output.leaveScreen()
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

async function watchOnce(
  socket: string,
  options: StatusOptions,
  isScreen: boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    const status = await askStatus(socket, options.peer, signal)
    if (isScreen) output.paintScreen(await shownOf(status, socket, options, signal), renderWatch)
    else output.show(options, status, renderStatusLine)
  } catch (error) {
    signal.throwIfAborted()
    if (options.json === true) output.writeJson(errorJson(error))
    else if (isScreen) output.paintScreen(noAnswer(error), String)
    else output.write(noAnswer(error))
  }
}

/** With the time: on a screen that stands still nobody would know that it is watched. */
function noAnswer(error: unknown): string {
  const time = new Date().toISOString().slice(0, 19)
  const remedy = isLandbridgeError(error) && error.remedy !== undefined ? `; ${error.remedy}` : ''
  return `${time}Z ${describeError(error)}${remedy}\n`
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('0.1 to 3600 seconds.')
  return seconds
}
