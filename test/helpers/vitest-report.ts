/** The part of vitest's JSON report that the test command counts. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      /** Set by a test that skips itself, with what this machine lacks. */
      readonly meta?: { readonly skipReason?: string }
    }[]
  }[]
}

export interface Count {
  readonly passed: number
  readonly failed: readonly string[]
  readonly skipped: readonly {
    readonly name: string
    /** The set-up of its file failed, so that it could not run. */
    readonly broken: boolean
    /** What the test itself said of it. */
    readonly reason?: string
  }[]
}

const SKIPPED_STATES = new Set(['skipped', 'pending', 'todo', 'disabled'])

/** A file that could not even be loaded has no tests and counts as one failure. */
export function countReport(report: VitestReport, root: string): Count {
  let passed = 0
  const failed: string[] = []
  const skipped: Count['skipped'][number][] = []
  for (const file of report.testResults) {
    const path = file.name.startsWith(root) ? file.name.slice(root.length) : file.name
    const hasFailure = file.assertionResults.some(({ status }) => status === 'failed')
    const isBroken = file.status === 'failed' && !hasFailure
    for (const { fullName, status, meta } of file.assertionResults) {
      const name = `${path} > ${fullName.trim()}`
      if (status === 'passed') passed += 1
      else if (SKIPPED_STATES.has(status)) {
        const reason = meta?.skipReason
        skipped.push({ name, broken: isBroken, ...(reason !== undefined && { reason }) })
      } else failed.push(name)
    }
    if (isBroken) failed.push(`${path} (the file itself)`)
  }
  return { passed, failed, skipped }
}

/** What `vitest list --json` says of each test. */
export type VitestList = readonly { readonly name: string; readonly file: string }[]

/** The tests of a list, named as in a report. */
export function listedTests(list: VitestList, root: string): string[] {
  return list.map(({ name, file }) => {
    const path = file.startsWith(root) ? file.slice(root.length) : file
    return `${path} > ${name.replaceAll(' > ', ' ')}`
  })
}
