import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { z } from 'zod'
import { type Event, eventsOutput } from '../../api/events-operation.ts'
import { describeError, isAbortError } from '../../base/errors.ts'
import { parseDurationMs } from '../../config/quantity.ts'
import { ExitCode, exitCodeFor } from '../exit-code.ts'
import { type AskFlags, addAsking, askGateway } from '../operation/gateway-call.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { errorOutput, output } from '../terminal/terminal.ts'
import { renderEvents } from './events-view.ts'

interface Flags extends AskFlags {
  readonly since?: number
  readonly lines: number
  readonly follow?: boolean
}

const LINES_MAX = 2_000
const FOLLOW_EVERY_MS = 1_000
const ANSWER_MS_MAX = 10_000

const HELP = `
Exit codes: 0 shown, 2 wrong arguments or configuration, 4 no answer.
Without --config or --socket the only gateway of this machine is asked. With --follow --json prints
one JSON object a line, for each event.`

/** `landbridge events`: who did what when, and what happened. */
export function addEventsCommand(program: Command): void {
  addAsking(program.command('events'))
    .summary('who did what when, and what happened')
    .description(
      'Shows what a gateway was asked that changes something, and what happened to it: problems' +
        ' that began and ended, links, roles, objectives, starts and stops. Times are UTC.',
    )
    .option('--since <age>', 'only what is no older, such as 30m, 24h or 7d', ageOf)
    .option('-n, --lines <count>', 'how many of the newest at most', linesOf, 100)
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .addHelpText('after', HELP)
    .action((flags: Flags) => withStopSignal((signal) => run(flags, signal)))
}

type Answer = z.output<typeof eventsOutput>

async function run(flags: Flags, signal: AbortSignal): Promise<void> {
  const { since, lines } = flags
  // The age is counted here: clocks of two gateways may differ.
  const sinceMs = since === undefined ? {} : { sinceMs: Math.max(0, Date.now() - since) }
  const first = await ask(flags, { lines, ...sinceMs }, signal)
  if (flags.follow !== true) {
    if (flags.json === true) output.writeJson({ schema: first.schema, events: first.events })
    else if (first.events.length === 0) output.write('nothing happened\n')
    else show(flags, first.events)
    return
  }
  show(flags, first.events)
  await follow(flags, first.cursor, signal).catch((error: unknown) => {
    // Ctrl-C is how it ends.
    if (!isAbortError(error)) throw error
  })
}

/** Goes on while the gateway does not answer: whoever follows wants to see it come back. */
async function follow(flags: Flags, cursor: string, signal: AbortSignal): Promise<void> {
  let after = cursor
  let told = ''
  for (;;) {
    await sleep(FOLLOW_EVERY_MS, undefined, { signal })
    try {
      const { events, cursor: next } = await ask(flags, { lines: LINES_MAX, after }, signal)
      show(flags, events)
      after = next
      told = ''
    } catch (error) {
      signal.throwIfAborted()
      // What will not get better by waiting ends it.
      if (exitCodeFor(error) !== ExitCode.Unreachable) throw error
      if (told !== describeError(error)) errorOutput.write(`${describeError(error)}\n`)
      told = describeError(error)
    }
  }
}

async function ask(flags: Flags, input: object, signal: AbortSignal): Promise<Answer> {
  const question = {
    name: 'events',
    permission: 'read',
    input,
    output: eventsOutput,
    here: null,
    silentMsMax: ANSWER_MS_MAX,
  } as const
  return (await askGateway(flags, question, signal)).output
}

function show({ json, follow: isFollowing }: Flags, events: readonly Event[]): void {
  if (json === true && isFollowing === true) for (const one of events) output.writeJson(one)
  else output.showPainted(events, renderEvents)
}

function ageOf(text: string): number {
  const ms = parseDurationMs(text)
  if (ms === null || ms <= 0) throw new InvalidArgumentError('An age with its unit, such as 24h.')
  return ms
}

function linesOf(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines >= 1 && lines <= LINES_MAX) return lines
  throw new InvalidArgumentError(`1 to ${LINES_MAX} lines.`)
}
