import { execFileSync } from 'node:child_process'
import { readProject } from '../../tidy/source-file.ts'
import { affectedBy } from './affected-by.ts'
import type { Step } from './steps.ts'
import { ROOT } from './vitest-run.ts'

export interface Affected {
  /** What to say before the run. */
  readonly reason: string
  /** Test files of a step; null for all of it. */
  filesOf(step: Step): readonly string[] | null
}

/** The test files that can be affected by what changed since a git revision, new files included. */
export function affectedFiles(since: string): Affected {
  const changed = changedPaths(since)
  const { tests, why } = affectedBy(readProject(ROOT), changed)
  const count = `${changed.length} files changed since ${since}`
  if (tests === null)
    return { reason: `${count}; all tests run, because of ${why}`, filesOf: () => null }
  return {
    reason: `${count}; they can affect ${tests.length} test files`,
    filesOf: (step) => {
      if (step.kind === 'command' || step.name === 'tidy') return null
      return tests.filter((path) => step.projects.some((name) => path.startsWith(`test/${name}/`)))
    },
  }
}

function changedPaths(since: string): string[] {
  const git = (...args: readonly string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const output = [
    git('diff', '--name-only', '-z', since),
    git('ls-files', '--others', '--exclude-standard', '-z'),
  ]
  return [...new Set(output.flatMap((text) => text.split('\0')).filter((path) => path !== ''))]
}
