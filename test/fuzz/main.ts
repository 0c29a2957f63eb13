/**
 * Fuzzes everything that reads bytes from outside: see "Fuzzing" in CONTRIBUTING.md.
 */
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32 } from 'node:zlib'
import { type CampaignResult, runCampaign } from './engine/campaign.ts'
import type { FuzzFigures, FuzzLimits } from './engine/fuzzer.ts'
import { FOUND_FOLDER, readInput, readInputs, saveInput } from './engine/saved-input.ts'
import { progressOf, reportOf, type TargetReport, tableOf } from './report.ts'
import { isTarget, isWaiting, moduleOf, TARGETS, type TargetName } from './targets.ts'

const USAGE = `usage: npm run fuzz -- [--target NAME]... [--executions N] [--seconds N] [--seed N]
                       [--jobs N] [--out FOLDER] [--corpus FOLDER] [--json]
       npm run fuzz -- --target NAME --replay FILE

Runs every target (or those named) for N executions each, 200000 by default and a twentieth of it
where each one waits for files or sockets, or for N seconds each, whatever comes first. The same
seed makes the same inputs. An input that breaks a promise is saved in the folder of --out
(fuzz-findings) with the command that runs it again, and the exit code is 1. --corpus keeps the
inputs that led somewhere new, and goes on from them; --json prints one line for each target.

targets: ${TARGETS.join(', ')}
`
const EXECUTIONS = 200_000
const WAITING_SHARE = 20
const QUIET_PROGRESS_MS = 10_000

interface Plan {
  readonly targets: readonly TargetName[]
  readonly executions: number | null
  readonly seconds: number
  readonly seed: number
  readonly jobs: number
  readonly out: string
  readonly corpus: string | null
  readonly replay: string | null
  readonly json: boolean
}

/** Null when the command line cannot be understood. */
function planOf(args: readonly string[]): Plan | 'help' | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: 'string', multiple: true, default: [] },
      executions: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '1' },
      out: { type: 'string', default: 'fuzz-findings' },
      corpus: { type: 'string' },
      replay: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const targets = values.target.filter(isTarget)
  const number = (text: string | undefined, missing: number): number =>
    text === undefined ? missing : /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  const plan = {
    targets: targets.length === 0 ? TARGETS : targets,
    executions: values.executions === undefined ? null : number(values.executions, 0),
    seconds: number(values.seconds, Number.POSITIVE_INFINITY),
    seed: number(values.seed, 1),
    jobs: number(values.jobs, 1),
    out: values.out,
    corpus: values.corpus ?? null,
    replay: values.replay ?? null,
    json: values.json,
  }
  const isGood =
    targets.length === values.target.length &&
    plan.jobs > 0 &&
    ![plan.executions, plan.seconds, plan.seed].some(Number.isNaN) &&
    (plan.replay === null || targets.length === 1)
  return isGood ? plan : null
}

function limitsOf(plan: Plan, target: TargetName): FuzzLimits {
  if (plan.replay !== null) return { executions: 0, seconds: Number.POSITIVE_INFINITY }
  const isTimed = plan.seconds !== Number.POSITIVE_INFINITY
  const most = isTimed
    ? Number.POSITIVE_INFINITY
    : EXECUTIONS / (isWaiting(target) ? WAITING_SHARE : 1)
  return { executions: plan.executions ?? most, seconds: plan.seconds }
}

function inputsOf(plan: Plan, target: TargetName): Buffer[] {
  if (plan.replay !== null) return [readInput(plan.replay)]
  const kept = plan.corpus === null ? [] : readInputs(join(plan.corpus, target))
  return [...readInputs(join(FOUND_FOLDER, target)), ...kept]
}

/** One line that is written over, or on no terminal a line now and then. */
function createProgress(target: string): (figures: FuzzFigures) => void {
  let saidMs = 0
  return (figures) => {
    const line = progressOf(target, figures)
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`)
    else if (figures.elapsedMs - saidMs >= QUIET_PROGRESS_MS) {
      saidMs = figures.elapsedMs
      process.stderr.write(`${line}\n`)
    }
  }
}

async function fuzz(target: TargetName, plan: Plan, signal: AbortSignal): Promise<TargetReport> {
  const result = await runCampaign({
    module: moduleOf(target),
    inputs: inputsOf(plan, target),
    seed: (plan.seed ^ crc32(target)) >>> 0,
    limits: limitsOf(plan, target),
    onProgress: createProgress(target),
    signal,
  })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  if (plan.corpus !== null) {
    for (const input of result.corpus) saveInput(join(plan.corpus, target), input)
  }
  const report = reportOf(target, result, saveFindings(target, result, plan))
  if (plan.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else process.stderr.write(`${progressOf(target, report)}\n`)
  return report
}

function saveFindings(target: TargetName, result: CampaignResult, plan: Plan): string[] {
  return result.findings.map(({ input, message }) => {
    const file = relative('', saveInput(join(plan.out, target), input))
    process.stderr.write(
      `\nfound in ${target}, with ${input.length} bytes: ${message}\n` +
        `  again: npm run fuzz -- --target ${target} --replay ${file}\n\n`,
    )
    return file
  })
}

async function main(args: readonly string[]): Promise<number> {
  const plan = planOf(args)
  if (plan === null || plan === 'help') {
    ;(plan === null ? process.stderr : process.stdout).write(USAGE)
    return plan === null ? 2 : 0
  }
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
  const waiting = [...plan.targets]
  const reports: TargetReport[] = []
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      if (stopping.signal.aborted) return
      reports.push(await fuzz(target, plan, stopping.signal))
    }
  }
  await Promise.all(Array.from({ length: plan.jobs }, work))
  if (!plan.json) process.stdout.write(tableOf(reports))
  return reports.some(({ findings }) => findings.length > 0) || stopping.signal.aborted ? 1 : 0
}

process.exitCode = await main(process.argv.slice(2))
