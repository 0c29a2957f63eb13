/** A step of the test command: one command that passes or fails, or one run of vitest projects. */
export type Step = CommandStep | VitestStep

interface CommandStep {
  readonly kind: 'command'
  readonly name: string
  readonly argv: readonly string[]
}

export interface VitestStep {
  readonly kind: 'vitest'
  readonly name: string
  readonly projects: readonly string[]
}

/** What an ordinary run holds. */
export const STEPS: readonly Step[] = [
  { kind: 'command', name: 'types', argv: ['npm', 'run', '--silent', 'types'] },
  { kind: 'command', name: 'lint', argv: ['biome', 'check', '--error-on-warnings', '.'] },
  { kind: 'vitest', name: 'tidy', projects: ['tidy'] },
  // Several files at a time: most tests with real servers wait more than they work.
  {
    kind: 'vitest',
    name: 'parallel',
    projects: ['unit', 'scenarios', 'fuzz', 'integration', 'browser'],
  },
  // What measures, or changes what the whole machine shares.
  { kind: 'vitest', name: 'alone', projects: ['alone'] },
]

/** Commands of their own, for what touches them. */
export const ASKED_STEPS: readonly (VitestStep & { readonly what: string })[] = [
  { kind: 'vitest', name: 'long', projects: ['long'], what: 'gigabytes, 20 minutes' },
  { kind: 'vitest', name: 'docker', projects: ['docker'], what: 'the image, on a real engine' },
]

const ALL_STEPS: readonly Step[] = [...STEPS, ...ASKED_STEPS]

export interface Selection {
  readonly steps: readonly Step[]
  /** Set: only test files that the changes since this git revision can affect. */
  readonly changedSince: string | null
  /** Whether the whole ordinary run was asked for. */
  readonly isWhole: boolean
}

/** Reads the arguments of the test command; `problem` says what is wrong with them. */
export function selectSteps(args: readonly string[]): Selection | { readonly problem: string } {
  const wanted: string[] = []
  let changedSince: string | null = null
  const words = args.values()
  for (const argument of words) {
    const [word, value] = splitOnce(argument)
    if (ASKED_STEPS.some(({ name }) => word === `--${name}`)) wanted.push(word.slice(2))
    else if (word === '--changed') changedSince = value ?? 'HEAD'
    else if (word === '--only') {
      const names = value ?? words.next().value ?? ''
      const named = names.split(',').filter((name) => name !== '')
      if (named.length === 0) return { problem: '--only names no step' }
      wanted.push(...named)
    } else return { problem: `unknown argument ${argument}` }
  }
  const unknown = wanted.filter((name) => !stepNames().includes(name))
  if (unknown.length > 0) return { problem: `there is no step ${unknown.join(', ')}` }
  const isWhole = wanted.length === 0 && changedSince === null
  const steps = wanted.length === 0 ? STEPS : ALL_STEPS.flatMap((step) => narrow(step, wanted))
  return { steps, changedSince, isWhole }
}

/** Steps, and the projects within them, that `--only` takes. */
export function stepNames(): string[] {
  const projects = ALL_STEPS.flatMap((step) => (step.kind === 'vitest' ? step.projects : []))
  return [...new Set([...ALL_STEPS.map(({ name }) => name), ...projects])]
}

function narrow(step: Step, wanted: readonly string[]): Step[] {
  if (wanted.includes(step.name)) return [step]
  if (step.kind === 'command') return []
  const projects = step.projects.filter((name) => wanted.includes(name))
  return projects.length === 0 ? [] : [{ ...step, projects }]
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=')
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}
