/** A step of the test command: either one command that passes or fails, or a vitest project. */
export type Step =
  | { readonly kind: 'command'; readonly name: string; readonly argv: readonly string[] }
  | {
      readonly kind: 'vitest'
      readonly name: string
      readonly needsMachine: boolean
      /** Set for a step that runs only when it is asked for: why. */
      readonly unaskedReason?: string
    }

export const STEPS: readonly Step[] = [
  { kind: 'command', name: 'types', argv: ['tsc', '--noEmit'] },
  { kind: 'command', name: 'lint', argv: ['biome', 'check', '--error-on-warnings', '.'] },
  { kind: 'vitest', name: 'tidy', needsMachine: false },
  { kind: 'vitest', name: 'unit', needsMachine: false },
  { kind: 'vitest', name: 'scenarios', needsMachine: false },
  { kind: 'vitest', name: 'fuzz', needsMachine: false },
  { kind: 'vitest', name: 'integration', needsMachine: true },
  { kind: 'vitest', name: 'quiet', needsMachine: true },
  {
    kind: 'vitest',
    name: 'long',
    needsMachine: true,
    unaskedReason: 'it moves gigabytes, about 20 minutes; npm test -- --long',
  },
]

/** What src/lab/setup/main.mjs could not give this machine, with the reason. */
export interface Missing {
  readonly root: boolean
  readonly packages: readonly string[]
  readonly reason: string
  readonly remedy: string
}

export function parseMissing(text: string | undefined): readonly Missing[] {
  return text === undefined || text === '' ? [] : (JSON.parse(text) as Missing[])
}

export interface Selection {
  readonly steps: readonly Step[]
  /** Whether the steps that run only when they are asked for are. */
  readonly long: boolean
}

export function selectSteps(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Selection | { readonly problem: string } {
  const wanted: string[] = []
  const isLong = (word: string) => word === '--long'
  const words = args.filter((word) => !isLong(word)).flatMap((word) => word.split('=', 2))
  for (let index = 0; index < words.length; index += 2) {
    if (words[index] !== '--only') return { problem: `unknown argument ${words[index]}` }
    wanted.push(...(words[index + 1] ?? '').split(',').filter((word) => word !== ''))
    if (wanted.length === 0) return { problem: '--only names no step' }
  }
  const unknown = wanted.filter((word) => !STEPS.some(({ name }) => name === word))
  if (unknown.length > 0) return { problem: `there is no step ${unknown.join(', ')}` }
  return {
    steps: STEPS.filter(({ name }) => wanted.length === 0 || wanted.includes(name)),
    long: args.some(isLong) || env.LANDBRIDGE_LONG === '1' || wanted.includes('long'),
  }
}

/** Names of a flavour in test names, as a pattern of names that do not need the missing one. */
export function runnableNames(missing: readonly Missing[]): string | undefined {
  const packages = missing.flatMap((entry) => entry.packages)
  const words = ['mysql', 'mariadb'].filter((flavor) =>
    packages.some((name) => name.startsWith(flavor)),
  )
  if (words.length === 0) return undefined
  const anyCase = words.map((word) =>
    [...word].map((letter) => `[${letter}${letter.toUpperCase()}]`).join(''),
  )
  return `^(?!.*(?:${anyCase.join('|')}))`
}

/** Network namespaces and tunnels are root's; a server on the loopback is anybody's. */
const NEEDS_ROOT = /src\/(?:lab|tunnel)\/(?!servers\/)|landbridge\.mjs|netns/

export function needsRoot(testText: string): boolean {
  return NEEDS_ROOT.test(testText)
}
