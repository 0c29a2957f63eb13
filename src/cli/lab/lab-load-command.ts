import { type Command, Option } from 'commander'
import { systemClock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { plural } from '../../base/quantity-text.ts'
import { type CopyReport, compareLab, isEqual, stateNow } from '../../lab/compare/compare-copy.ts'
import type { SpoolReport } from '../../lab/compare/compare-spool.ts'
import { labPaths } from '../../lab/lab-paths.ts'
import { STREAMS, type StreamName } from '../../lab/lab-shape.ts'
import { type LabState, requireState, sourceOf } from '../../lab/lab-state.ts'
import { Workload } from '../../lab/load/workload.ts'
import { withStopSignal } from '../terminal/stop-signal.ts'
import { output } from '../terminal/terminal.ts'

interface LoadFlags {
  readonly name: string
  readonly seconds: string
  readonly transactions?: string
  readonly rateTps: string
  readonly writers: string
  readonly definitions: boolean
  readonly stream: string
  readonly json?: boolean
}

/** `lab load` and `lab compare`: what the demo does, one by one. */
export function addLabLoadCommands(lab: Command): void {
  lab
    .command('load')
    .summary('write to a source of a lab')
    .option('--name <lab>', 'which lab', 'main')
    .addOption(streamOption())
    .option('--seconds <seconds>', 'how long', '30')
    .option('--transactions <count>', 'end after so many')
    .option('--rate-tps <rate>', 'transactions per second', '400')
    .option('--writers <count>', 'concurrent connections', '8')
    .option('--no-definitions', 'without CREATE, ALTER and DROP in between')
    .option('--json', 'print one JSON object')
    .action(runLoad)
  lab
    .command('compare')
    .summary('compare every spool and replica of a lab with its source')
    .option('--name <lab>', 'which lab', 'main')
    .option('--wait-seconds <seconds>', 'for spool and replica to catch up', '60')
    .option('--json', 'print one JSON object')
    .action(runCompare)
}

async function runLoad(flags: LoadFlags): Promise<void> {
  const state = await stateNow(await requireState(labPaths(flags.name)))
  const workload = new Workload({
    socket: sourceOf(state, parseStream(state, flags.stream)).socket,
    flavor: state.flavor,
    clock: systemClock,
    writers: positive('--writers', flags.writers),
    transactionsPerSecond: positive('--rate-tps', flags.rateTps),
    secondsMax: positive('--seconds', flags.seconds),
    transactionsMax:
      flags.transactions === undefined ? null : positive('--transactions', flags.transactions),
    definitionSeconds: flags.definitions ? 2 : null,
    seed: Date.now() % 1_000_000,
  })
  await withStopSignal((signal) => workload.run(signal))
  const status = workload.status()
  output.show(
    flags,
    status,
    ({ committed, retried }) => `${committed} transactions committed, ${retried} retried\n`,
  )
}

async function runCompare(flags: {
  readonly name: string
  readonly waitSeconds: string
  readonly json?: boolean
}): Promise<void> {
  const state = await requireState(labPaths(flags.name))
  const waitSeconds = positive('--wait-seconds', flags.waitSeconds)
  await withStopSignal(async (signal) => {
    const copies = await compareLab({ state, waitSeconds, signal, allowsOlder: true })
    const ok = copies.every(isEqual)
    output.show(flags, { ok, copies }, formatComparison)
    if (!ok) process.exitCode = 1
  })
}

interface Comparison {
  readonly ok: boolean
  readonly copies: readonly Pick<CopyReport, 'label' | 'spool' | 'tables'>[]
}

export function formatComparison({ copies }: Comparison): string {
  const lines = copies.flatMap(({ label, spool, tables }) => [
    ...(label === '' ? [] : [`${label}:`]),
    ...(spool === null ? ['no spool in this lab'] : spoolLines(spool)),
    verdict('replica equals source', tables, tables.unproven),
  ])
  return `${lines.join('\n')}\n`
}

function spoolLines({ older, olderReason, ...report }: SpoolReport): string[] {
  const lines = [verdict('spool identical to source', report)]
  if (olderReason !== null) {
    const [first, last] = [older[0], older.at(-1)]
    const names = older.length < 2 ? first : `${first} to ${last}`
    lines.push(`  ${plural(older.length, 'file')} not compared, ${olderReason}: ${names}`)
  }
  return lines
}

interface Judged {
  readonly failures: readonly string[]
}

/** `unproven`: so many of the failures say only that something could not be compared. */
function verdict(claim: string, report: Judged, unproven = 0): string {
  const { failures, ...counts } = report
  if (failures.length > 0) {
    const not = failures.length === unproven ? 'NOT PROVEN' : 'NOT'
    return `${not} ${claim}:\n  ${failures.join('\n  ')}\n  ${JSON.stringify(counts)}`
  }
  return `${claim} ${JSON.stringify(counts)}`
}

function streamOption(): Option {
  const option = new Option('--stream <name>', 'which stream').choices(STREAMS)
  return option.argParser(String).default(STREAMS[0])
}

function parseStream({ name, streams }: LabState, text: string): StreamName {
  const found = streams.find((stream) => stream.name === text)
  if (found !== undefined) return found.name
  const names = streams.map((stream) => stream.name).join(', ')
  throw new LandbridgeError('ERR_USAGE', `--stream ${text} is none of the lab ${name}: ${names}`)
}

export function positive(flag: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new LandbridgeError('ERR_USAGE', `${flag} ${text} is not a number above 0`)
}
