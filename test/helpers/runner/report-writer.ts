import { writeFileSync } from 'node:fs'
import { relative, sep } from 'node:path'
import type { SerializedError } from 'vitest'
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node'
import type { FileReport, RunReport, TestReport } from './run-report.ts'

/** Names the file that the report goes to. */
export const REPORT_VARIABLE = 'LANDBRIDGE_TEST_REPORT'

/**
 * vitest's own JSON report says nothing of errors outside tests and of failed set-ups of groups;
 * this one does.
 */
export default class ReportWriter implements Reporter {
  #root = ''

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const path = process.env[REPORT_VARIABLE]
    if (path === undefined) return
    const report: RunReport = {
      files: modules.map((module) => this.#file(module)),
      unhandled: unhandledErrors.map((error) => {
        const { VITEST_TEST_PATH: from } = error
        const file = typeof from === 'string' ? this.#relative(from) : null
        return { message: textOf(error), path: file }
      }),
    }
    writeFileSync(path, JSON.stringify(report))
  }

  #file(module: TestModule): FileReport {
    const { collectDuration, duration, environmentSetupDuration, prepareDuration, setupDuration } =
      module.diagnostic()
    const ofSuites = [...module.children.allSuites()].flatMap((suite) =>
      suite.errors().map((error) => ({ where: suite.fullName, message: textOf(error) })),
    )
    const ofFile = module.errors().map((error) => {
      return { where: 'the file itself', message: textOf(error) }
    })
    return {
      path: this.#relative(module.moduleId),
      project: module.project.name,
      durationMs:
        collectDuration + duration + environmentSetupDuration + prepareDuration + setupDuration,
      cpuMs: module.meta().cpuMs ?? null,
      tests: [...module.children.allTests()].map(testReport),
      errors: [...ofFile, ...ofSuites],
    }
  }

  #relative(path: string): string {
    return relative(this.#root, path).split(sep).join('/')
  }
}

function testReport(test: TestCase): TestReport {
  const { state, errors = [] } = test.result()
  const { skipReason } = test.meta()
  return {
    name: test.fullName,
    state,
    ...(errors.length > 0 && { message: errors.map(textOf).join('\n') }),
    ...(skipReason !== undefined && { skipReason }),
  }
}

function textOf({
  message,
  stack,
}: {
  readonly message?: string
  readonly stack?: string
}): string {
  return stack?.includes(message ?? '') ? stack : [message, stack].filter(Boolean).join('\n')
}
