import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { callOperation, fetchOperations, type OperationFacts } from '../../api/admin-client.ts'
import { type JournalEntry, journalEntry } from '../../api/journal-entry.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { type GatewayChoice, resolveSocket } from '../status/gateway-socket.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { errorOutput, output } from '../terminal/terminal.ts'

interface Flags extends GatewayChoice {
  readonly json?: boolean
}

interface CallFlags extends Flags {
  readonly input?: object
  readonly peer?: string
}

interface JournalFlags extends Flags {
  readonly lines: number
}

const LINES_MAX = 1_000
const NAME_COLUMNS = 18

/** Everything that the admin socket serves, for scripts and for what has no command of its own. */
export function addOperationCommand(program: Command): void {
  const operation = program
    .command('operation')
    .summary('list what a gateway can be asked, and ask it')
    .description('What a running gateway can be asked over its admin socket.')
  addList(operation)
  addCall(operation)
  addJournal(operation)
}

function addCommon(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration of the gateway to ask')
    .option('-s, --socket <path>', 'admin socket of the gateway to ask')
    .option('--json', 'print one JSON object')
}

function addList(operation: Command): void {
  addCommon(operation.command('list'))
    .summary('name every operation; with --json also their schemas')
    .description('Names every operation of the gateway, with the permission that it needs.')
    .action((flags: Flags) =>
      withStopSignal(async (signal) => {
        const operations = await fetchOperations(await resolveSocket(flags), signal)
        output.show(flags, { schema: 1, operations }, (plain) => formatList(plain.operations))
      }),
    )
}

function addCall(operation: Command): void {
  addCommon(operation.command('call'))
    .argument('<name>', 'an operation, as `landbridge operation list` names it')
    .option('--input <json>', 'its input as a JSON object', jsonOf)
    .option('--peer <name>', 'ask this other gateway, through the one that is named')
    .summary('ask the gateway for one operation')
    .description('Asks for one operation and prints its output as JSON. Ctrl-C cancels it.')
    .action((name: string, flags: CallFlags) =>
      withStopSignal(async (signal) => {
        const socket = await resolveSocket(flags)
        const found = (await fetchOperations(socket, signal)).find((one) => one.name === name)
        if (found === undefined) throw unknown(name)
        const answer = await callOperation(socket, found, flags.input ?? {}, {
          signal,
          silentMsMax: SILENT_MS_MAX,
          ...(flags.peer !== undefined && { peer: flags.peer }),
          onProgress: (step) => errorOutput.write(`${step}\n`),
        })
        output.writeJson(answer)
      }),
    )
}

function addJournal(operation: Command): void {
  addCommon(operation.command('journal'))
    .option('-n, --lines <count>', 'how many of the newest lines', linesOf, 50)
    .summary('show what was asked of the gateway that changes something')
    .description('Shows the newest lines of the journal. Each carries the hash of the one before.')
    .action((flags: JournalFlags) =>
      withStopSignal(async (signal) => {
        const journal = { name: 'journal', permission: 'read' } as const
        const socket = await resolveSocket(flags)
        const asked = { lines: flags.lines }
        const answer = await callOperation(socket, journal, asked, { signal })
        const { data } = journalAnswer.safeParse(answer)
        if (data === undefined) throw otherVersion()
        output.show(flags, { schema: 1, ...data }, (plain) => formatJournal(plain.entries))
      }),
    )
}

/** A long operation reports its steps; this is for one that has none. */
const SILENT_MS_MAX = 3_600_000

const journalAnswer = z.object({ entries: z.array(journalEntry) })

export function formatList(operations: readonly OperationFacts[]): string {
  return operations
    .map(({ name, permission, summary }) => {
      return `${name.padEnd(NAME_COLUMNS)}  ${permission.padEnd(8)} ${summary}\n`
    })
    .join('')
}

export function formatJournal(entries: readonly JournalEntry[]): string {
  if (entries.length === 0) return 'nothing was asked yet that changes something\n'
  return entries
    .map(({ atMs, run, operation, caller, phase, detail }) => {
      const time = new Date(atMs).toISOString().slice(0, 19)
      const what = run === null ? phase : `#${run} ${operation} ${phase}, asked by ${caller}`
      return `${time}Z  ${what}${detail === null ? '' : `: ${JSON.stringify(detail)}`}\n`
    })
    .join('')
}

function otherVersion(): LandbridgeError {
  return new LandbridgeError('ERR_GATEWAY_ANSWER', 'the gateway has a journal of another form', {
    remedy: 'Use the landbridge command of the same version as the gateway.',
  })
}

function unknown(name: string): LandbridgeError {
  return new LandbridgeError('ERR_OPERATION_UNKNOWN', `there is no operation ${name}`, {
    remedy: '`landbridge operation list` names them all.',
  })
}

function jsonOf(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new InvalidArgumentError('A JSON object, such as \'{"stream":"main"}\'.')
}

function linesOf(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines >= 1 && lines <= LINES_MAX) return lines
  throw new InvalidArgumentError(`1 to ${LINES_MAX} lines.`)
}
