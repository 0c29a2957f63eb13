import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { fetchStatus } from '../admin/admin-client.ts'
import { describeError, isAbortError, isLandbridgeError } from '../base/errors.ts'
import type { GatewayStatus } from '../progress/status.ts'
import { formatErrorJson } from './error-report.ts'
import { ExitCode } from './exit-code.ts'
import { type GatewayChoice, resolveSocket } from './gateway-socket.ts'
import { createPaint, wantsColor } from './paint.ts'
import { renderStatus, renderStatusLine } from './status-view.ts'
import { wrapLine } from './wrap-line.ts'

interface StatusOptions extends GatewayChoice {
  readonly json?: boolean
  readonly watch?: boolean
  readonly interval: number
  readonly live?: boolean
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of colours
const ESCAPE_OR_CHARACTER = /\u001b\[[\d;]*m|./gu

const HELP = `
Exit codes: 0 ok, 1 degraded, 2 wrong arguments or configuration, 3 blocked, 4 no answer.
Without --config or --socket the only gateway of this machine is asked.`

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
    .option('--live', 'only whether the process answers, for container health checks')
    .addHelpText('after', HELP)
    .action(async (options: StatusOptions) => {
      const socket = await resolveSocket(options)
      if (options.watch === true) return watch(socket, options)
      const status = await fetchStatus(socket)
      // What is wrong elsewhere is no reason to restart this gateway.
      if (options.live === true) return
      const paint = createPaint(wantsColor(process.stdout))
      process.stdout.write(options.json === true ? jsonLine(status) : renderStatus(status, paint))
      process.exitCode = exitCodeOf(status)
    })
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
  const screen = options.json !== true && process.stdout.isTTY === true
  if (screen) process.stdout.write('\u001b[?25l\u001b[2J')
  try {
    while (!signal.aborted) {
      const text = await watchedText(socket, options, screen, signal)
      process.stdout.write(screen ? repaint(text, process.stdout) : text)
      await sleep(options.interval * 1000, undefined, { signal })
    }
  } catch (error) {
    if (!isAbortError(error)) throw error
  } finally {
    if (screen) process.stdout.write('\u001b[?25h')
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

async function watchedText(
  socket: string,
  options: StatusOptions,
  screen: boolean,
  signal: AbortSignal,
): Promise<string> {
  try {
    const status = await fetchStatus(socket, { signal })
    if (options.json === true) return jsonLine(status)
    if (!screen) return renderStatusLine(status)
    return renderStatus(status, createPaint(wantsColor(process.stdout)))
  } catch (error) {
    signal.throwIfAborted()
    return options.json === true ? formatErrorJson(error) : noAnswer(error)
  }
}

/** With the time: on a screen that stands still nobody would know that it is watched. */
function noAnswer(error: unknown): string {
  const time = new Date().toISOString().slice(0, 19)
  const remedy = isLandbridgeError(error) && error.remedy !== undefined ? `; ${error.remedy}` : ''
  return `${time}Z ${describeError(error)}${remedy}\n`
}

interface ScreenSize {
  /** 0 where the terminal does not say. */
  readonly rows: number
  readonly columns: number
}

/**
 * From the top, each line to its end, the rest cleared: no flicker. Broken and cut to what the
 * screen holds, because a line that the terminal wraps or scrolls would shift all others.
 */
export function repaint(text: string, { rows, columns }: ScreenSize): string {
  const whole = text.trimEnd().split('\n')
  const lines = columns > 0 ? whole.flatMap((line) => wrapLine(line, columns)) : whole
  const shown = rows > 0 ? lines.slice(0, rows - 1) : lines
  const cut = shown.map((line) => `${columns > 0 ? cutLine(line, columns) : line}\u001b[K\n`)
  return `\u001b[H${cut.join('')}\u001b[J`
}

/** Escape sequences take no column. */
function cutLine(line: string, columns: number): string {
  let left = columns
  return line.replaceAll(ESCAPE_OR_CHARACTER, (part) => {
    if (part.startsWith('\u001b')) return part
    left -= 1
    return left >= 0 ? part : ''
  })
}

function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new InvalidArgumentError('0.1 to 3600 seconds.')
  return seconds
}
