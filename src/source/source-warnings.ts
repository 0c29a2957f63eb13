import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Problem } from '../status/status.ts'
import type { PreflightFinding } from './preflight.ts'

export interface SourceWarningsOptions {
  readonly stream: string
  readonly clock: Clock
  readonly log: Log
}

/**
 * What the last preflight of a source warned of, with the time since when. The errors of a connect
 * are not here: they end the attempt to stream, and the sender tells of that. Those that are found
 * while a dump runs are: they would end the next attempt.
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
    this.#set(findings.filter(({ severity }) => severity === 'warning'))
  }

  /** Takes the findings of a look at the source while its dump runs. */
  foresee(findings: readonly PreflightFinding[]): void {
    const shown = findings.filter(({ severity }) => severity !== 'ok')
    this.#set(
      shown.map((finding) => {
        if (finding.severity !== 'error') return finding
        return { ...finding, message: `${finding.message}: the next dump will be refused` }
      }),
    )
  }

  #set(findings: readonly PreflightFinding[]): void {
    const { stream, clock, log } = this.#options
    const nowMs = clock.wallMs()
    const known = this.#problems
    this.#problems = findings.map(({ code, severity, message, fix }) => {
      const before = known.find((problem) => problem.code === code)
      const told = { code, ...(fix !== null && { remedy: fix }) }
      if (before === undefined) log.warn(told, `source: ${message}`)
      return {
        ...told,
        severity: severity === 'error' ? 'error' : 'warning',
        where: `source:${stream}`,
        message,
        sinceMs: before?.sinceMs ?? nowMs,
      }
    })
  }
}
