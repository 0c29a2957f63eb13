import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ignoreMissing } from '../../../src/base/atomic-file.ts'
import { REPORT_VARIABLE } from './report-writer.ts'
import type { RunReport } from './run-report.ts'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '')
const REPORTER = 'test/helpers/runner/report-writer.ts'

export interface VitestRun {
  readonly exitCode: number
  /** Null when vitest ended before it could write one. */
  readonly report: RunReport | null
}

/** Runs test files; all of a project when none are named. Everything it says goes to `log`, too. */
export async function runVitest(
  projects: readonly string[],
  files: readonly string[],
  log: string,
): Promise<VitestRun> {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-test-'))
  const report = join(folder, 'report.json')
  try {
    const exitCode = await runHere(
      [
        ...['vitest', 'run', ...projects.flatMap((name) => ['--project', name]), ...files],
        ...['--reporter=default', `--reporter=${REPORTER}`],
      ],
      { log, env: { [REPORT_VARIABLE]: report } },
    )
    const text = await readFile(report, 'utf8').catch((error: unknown) => {
      ignoreMissing(error)
      return null
    })
    return { exitCode, report: text === null ? null : (JSON.parse(text) as RunReport) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a program of the project; its output goes to ours and to `log`. */
export async function runHere(
  argv: readonly string[],
  { log, env = {} }: { readonly log: string; readonly env?: Readonly<Record<string, string>> },
): Promise<number> {
  const [program = '', ...rest] = argv
  await mkdir(dirname(log), { recursive: true })
  const path = [join(ROOT, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter)
  const color = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
  const child = spawn(program, rest, {
    cwd: ROOT,
    env: { ...process.env, ...color, ...env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kept = createWriteStream(log)
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    from.pipe(to, { end: false })
    from.pipe(kept, { end: false })
  }
  const stop = () => child.kill('SIGTERM')
  process.on('SIGTERM', stop)
  const [exitCode] = (await once(child, 'close')) as [number | null]
  process.off('SIGTERM', stop)
  kept.end()
  await once(kept, 'finish')
  return exitCode ?? 1
}
