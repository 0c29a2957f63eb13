import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Problem } from '../progress/status.ts'
import type { PreflightFinding } from '../source/preflight.ts'

export interface SourceWarningsOptions {
  readonly stream: string
  readonly clock: Clock
  readonly log: Log
}

/**
 * What the last preflight of a source warned of, with the time since when. Its errors are not
 * here: they end the attempt to stream, and the sender tells of that.
 */
export class SourceWarnings {
  readonly #options: SourceWarningsOptions
  #problems: readonly Problem[] = []

  constructor(options: SourceWarningsOptions) {
    this.#options = options
  }

  problems(): readonly Problem[] {
    return this.#problems
  }

  /** Takes the findings of a connect; what was found before too keeps its time. */
  take(findings: readonly PreflightFinding[]): void {
    const { stream, clock, log } = this.#options
    const nowMs = clock.wallMs()
    const known = this.#problems
    this.#problems = findings
      .filter(({ severity }) => severity === 'warning')
      .map(({ code, message, fix }) => {
        const before = known.find((problem) => problem.code === code)
        const told = { code, ...(fix !== null && { remedy: fix }) }
        if (before === undefined) log.warn(told, `source: ${message}`)
        return {
          ...told,
          severity: 'warning',
          where: `source:${stream}`,
          message,
          sinceMs: before?.sinceMs ?? nowMs,
        }
      })
  }
}
