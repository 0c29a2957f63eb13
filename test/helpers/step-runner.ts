import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Missing, Step } from './steps.ts'
import { needsRoot, runnableNames } from './steps.ts'
import type { VitestList, VitestReport } from './vitest-report.ts'
import { countReport, listedTests } from './vitest-report.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface StepRunnerOptions {
  readonly missing: readonly Missing[]
  /** Runs the steps too that are skipped unless they are asked for. */
  readonly long: boolean
}

/** Runs steps one after the other and keeps the counts. */
export class StepRunner {
  readonly #missing: readonly Missing[]
  readonly #long: boolean
  readonly #failed: string[] = []
  readonly #skipped: string[] = []
  readonly #times: string[] = []
  #passed = 0

  constructor(options: StepRunnerOptions) {
    this.#missing = options.missing
    this.#long = options.long
  }

  async run(step: Step): Promise<void> {
    const startedMs = performance.now()
    process.stdout.write(`\n== ${step.name}\n`)
    if (step.kind === 'command') await this.#runCommand(step.name, step.argv)
    else if (step.unaskedReason !== undefined && !this.#long) {
      await this.#skipUnasked(step.name, step.unaskedReason)
    } else await this.#runVitest(step)
    const elapsed = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
    this.#times.push(`${step.name} ${elapsed}`)
    process.stdout.write(`== ${step.name}: ${elapsed}\n`)
  }

  /** Prints what was skipped and failed, the times, and the closing line. */
  finish(): number {
    const lines = ['', `times: ${this.#times.join(', ')}`]
    if (this.#skipped.length > 0)
      lines.push('skipped:', ...this.#skipped.map((name) => `  ${name}`))
    if (this.#failed.length > 0) lines.push('failed:', ...this.#failed.map((name) => `  ${name}`))
    const counts = [this.#passed, this.#failed.length, this.#skipped.length]
    lines.push('', `${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped`)
    process.stdout.write(`${lines.join('\n')}\n`)
    return this.#failed.length === 0 && this.#passed > 0 ? 0 : 1
  }

  async #runCommand(name: string, argv: readonly string[]): Promise<void> {
    if ((await runHere(argv)) === 0) this.#passed += 1
    else this.#failed.push(`${name} (${argv.join(' ')})`)
  }

  async #runVitest(step: Step & { readonly kind: 'vitest' }): Promise<void> {
    const { name } = step
    const files = globSync(`test/${name === 'tidy' ? 'tidy' : `${name}/**/*`}.test.ts`, {
      cwd: ROOT,
    })
    if (files.length === 0) return void this.#skipped.push(`${name}: it has no test files`)
    const excluded = step.needsMachine ? await this.#excludeFiles(files) : []
    if (excluded.length === files.length) return
    const pattern = step.needsMachine ? runnableNames(this.#missing) : undefined
    const selection = pattern === undefined ? [] : ['--testNamePattern', pattern]
    const folder = await mkdtemp(join(tmpdir(), 'landbridge-test-'))
    try {
      const output = join(folder, 'report.json')
      const exitCode = await runHere([
        ...['vitest', 'run', '--project', name, ...selection],
        ...excluded.flatMap((file) => ['--exclude', file]),
        ...['--reporter=default', '--reporter=json', `--outputFile.json=${output}`],
      ])
      await this.#count(name, output, exitCode)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Nothing of it runs, but every test of it is named and counted. */
  async #skipUnasked(name: string, reason: string): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'landbridge-test-'))
    try {
      const output = join(folder, 'list.json')
      const exitCode = await runHere(['vitest', 'list', '--project', name, `--json=${output}`])
      const text = await readFile(output, 'utf8').catch(() => undefined)
      if (exitCode !== 0 || text === undefined) {
        this.#failed.push(`${name} (vitest cannot list its tests: ${exitCode})`)
        return
      }
      const tests = listedTests(JSON.parse(text) as VitestList, ROOT)
      this.#skipped.push(...tests.map((test) => `${test}: ${reason}`))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Files that cannot run here at all, counted as skipped. */
  async #excludeFiles(files: readonly string[]): Promise<readonly string[]> {
    if (!this.#missing.some(({ root }) => root)) return []
    const excluded: string[] = []
    for (const file of files) {
      if (needsRoot(await readFile(join(ROOT, file), 'utf8'))) excluded.push(file)
    }
    this.#skipped.push(...excluded.map((file) => `${file} (the whole file): ${this.#reason()}`))
    return excluded
  }

  async #count(name: string, path: string, exitCode: number): Promise<void> {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return void this.#failed.push(`${name} (vitest ended ${exitCode})`)
    const count = countReport(JSON.parse(text) as VitestReport, ROOT)
    this.#passed += count.passed
    this.#failed.push(...count.failed)
    // An unhandled rejection fails vitest without failing a test.
    if (exitCode !== 0 && count.failed.length === 0) {
      this.#failed.push(`${name} (vitest ended ${exitCode} with no failed test: see above)`)
    }
    for (const { name: test, broken, reason } of count.skipped) {
      const why = broken ? 'the set-up of its file failed' : (reason ?? this.#reason())
      this.#skipped.push(`${test}: ${why}`)
    }
  }

  #reason(): string {
    const parts = this.#missing.map(({ reason, remedy }) => `${reason}; ${remedy}`)
    return parts.length === 0 ? 'the test itself says so' : parts.join('; ')
  }
}

/** Runs a program of the project with the terminal as its own. */
async function runHere(argv: readonly string[]): Promise<number> {
  const [program = '', ...rest] = argv
  const path = [join(ROOT, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter)
  const child = spawn(program, rest, {
    cwd: ROOT.endsWith(sep) ? ROOT.slice(0, -1) : ROOT,
    env: { ...process.env, PATH: path },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const stop = () => child.kill('SIGTERM')
  process.on('SIGTERM', stop)
  const [exitCode] = (await once(child, 'exit')) as [number | null]
  process.off('SIGTERM', stop)
  return exitCode ?? 1
}
