/** What a run of vitest found, as its reporter (`report-writer.ts`) writes it. */
export interface RunReport {
  readonly files: readonly FileReport[]
  /** Errors outside any test: a rejection that nobody took, for one. */
  readonly unhandled: readonly { readonly message: string; readonly path: string | null }[]
}

export interface FileReport {
  /** Relative to the project's root. */
  readonly path: string
  readonly project: string
  readonly durationMs: number
  /** Of the file and of the programs that it started; null where that cannot be asked. */
  readonly cpuMs: number | null
  readonly tests: readonly TestReport[]
  /** Of the file itself, or of the set-up and tear-down of a group in it. */
  readonly errors: readonly { readonly where: string; readonly message: string }[]
}

export interface TestReport {
  readonly name: string
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending'
  readonly message?: string
  readonly skipReason?: string
}

export interface Failure {
  readonly name: string
  readonly message: string
}

export interface Count {
  readonly passed: number
  readonly failed: readonly Failure[]
  /** With the reason. */
  readonly skipped: readonly string[]
}

/** A file that cannot be loaded, and a set-up that fails, count as one failure each. */
export function countFile({ path, tests, errors }: FileReport): Count {
  const failed: Failure[] = errors.map(({ where, message }) => ({
    name: `${path} (${where})`,
    message,
  }))
  const skipped: string[] = []
  let passed = 0
  for (const { name, state, message, skipReason } of tests) {
    const test = `${path} > ${name}`
    if (state === 'passed') passed += 1
    else if (state === 'failed') failed.push({ name: test, message: message ?? '' })
    else if (skipReason !== undefined) skipped.push(`${test}: ${skipReason}`)
    else if (errors.length > 0) skipped.push(`${test}: the set-up failed`)
    else if (state === 'skipped') skipped.push(`${test}: the test itself says so`)
    else failed.push({ name: test, message: 'it did not end' })
  }
  return { passed, failed, skipped }
}

export function addCounts(counts: readonly Count[]): Count {
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.flatMap(({ failed }) => failed),
    skipped: counts.flatMap(({ skipped }) => skipped),
  }
}
