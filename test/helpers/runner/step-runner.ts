import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClosingFacts, closingLines } from './closing-lines.ts'
import {
  addCounts,
  type Count,
  countFile,
  type Failure,
  type FileReport,
  type RunReport,
} from './run-report.ts'
import type { Step, VitestStep } from './steps.ts'
import { ROOT, runHere, runVitest } from './vitest-run.ts'

/** Whole outputs of the steps, and of what was run once more. */
const RESULTS = 'test-results'
/** When more files fail the reason is no chance: nothing is run once more. */
const FILES_AGAIN_MAX = 6

export interface StepRunnerOptions {
  readonly runVitest?: typeof runVitest
  readonly write?: (text: string) => void
}

/** Runs steps one after the other and keeps the counts. */
export class StepRunner {
  readonly #runTests: typeof runVitest
  readonly #write: (text: string) => void
  readonly #counts: Count[] = []
  readonly #flaky: ClosingFacts['flaky'][number][] = []
  readonly #times: ClosingFacts['times'][number][] = []
  readonly #files: FileReport[] = []

  constructor(options: StepRunnerOptions = {}) {
    this.#runTests = options.runVitest ?? runVitest
    this.#write = options.write ?? ((text) => void process.stdout.write(text))
  }

  async begin(): Promise<void> {
    await rm(join(ROOT, RESULTS), { recursive: true, force: true })
  }

  /** `files`: only these test files; null for all of the step. */
  async run(step: Step, files: readonly string[] | null): Promise<void> {
    const startedMs = performance.now()
    this.#write(`\n== ${step.name}\n`)
    if (step.kind === 'command') await this.#runCommand(step.name, step.argv)
    else await this.#runVitest(step, files)
    const seconds = (performance.now() - startedMs) / 1000
    this.#times.push({ name: step.name, seconds })
    this.#write(`== ${step.name}: ${seconds.toFixed(1)} s\n`)
  }

  /** Prints what was skipped, flaky and failed, the times, and the closing line. */
  finish(notAsked: readonly string[]): number {
    const count = addCounts(this.#counts)
    const facts = { count, flaky: this.#flaky, times: this.#times, files: this.#files, notAsked }
    this.#write(`${closingLines(facts).join('\n')}\n`)
    return count.failed.length === 0 && count.passed > 0 ? 0 : 1
  }

  async #runCommand(name: string, argv: readonly string[]): Promise<void> {
    const exitCode = await runHere(argv, { log: join(ROOT, RESULTS, `${name}.txt`) })
    const failure = { name: `${name} (${argv.join(' ')})`, message: `it ended with ${exitCode}` }
    this.#counts.push(
      exitCode === 0 ? { passed: 1, failed: [], skipped: [] } : failedCount([failure]),
    )
  }

  async #runVitest(step: VitestStep, files: readonly string[] | null): Promise<void> {
    const { name, projects } = step
    if (files?.length === 0) return this.#write('nothing of it is affected\n')
    const log = join(ROOT, RESULTS, `${name}.txt`)
    const { exitCode, report } = await this.#runTests(projects, files ?? [], log)
    if (report === null) {
      const failure = { name, message: `vitest ended with ${exitCode} and no report` }
      return void this.#counts.push(failedCount([failure]))
    }
    this.#files.push(...report.files)
    const counted = report.files.map((file) => ({ file, count: countOf(file, report) }))
    const failing = counted.filter(({ count }) => count.failed.length > 0).length
    for (const { file, count } of counted) {
      const runsAgain = count.failed.length > 0 && failing <= FILES_AGAIN_MAX
      this.#counts.push(runsAgain ? await this.#runAgain(file, count) : count)
    }
    const strange = failuresOfNoFile(name, report)
    if (exitCode !== 0 && failing === 0 && strange.length === 0) {
      const message = `vitest ended with ${exitCode}, and no test failed: see above`
      strange.push({ name, message })
    }
    if (strange.length > 0) this.#counts.push(failedCount(strange))
  }

  /** A file that failed, alone: what counts is how it ends now. Its first end is not hidden. */
  async #runAgain(file: FileReport, first: Count): Promise<Count> {
    this.#write(`\n== once more, alone: ${file.path}\n`)
    const log = join(ROOT, RESULTS, `again-${file.path.replaceAll('/', '-')}.txt`)
    const { report } = await this.#runTests([file.project], [file.path], log)
    const again = report?.files.find(({ path }) => path === file.path)
    if (report === null || again === undefined) return first
    const count = countOf(again, report)
    if (count.failed.length > 0) return count
    this.#flaky.push({ path: file.path, failures: first.failed, log })
    return count
  }
}

function failedCount(failed: Count['failed']): Count {
  return { passed: 0, failed, skipped: [] }
}

/** An error outside its tests is a failure of the file that it came from. */
function countOf(file: FileReport, { unhandled }: RunReport): Count {
  const count = countFile(file)
  const outside = unhandled.filter(({ path }) => path === file.path)
  const name = `${file.path} (an error outside its tests)`
  return {
    ...count,
    failed: [...count.failed, ...outside.map(({ message }) => ({ name, message }))],
  }
}

/** What fails a run without failing a file of it. */
function failuresOfNoFile(name: string, { files, unhandled }: RunReport): Failure[] {
  const paths = files.map(({ path }) => path)
  return unhandled
    .filter(({ path }) => path === null || !paths.includes(path))
    .map(({ message }) => ({ name: `${name} (an error outside its tests)`, message }))
}
