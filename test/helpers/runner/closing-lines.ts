import type { Count, Failure, FileReport } from './run-report.ts'

/** What a whole run of the test command found. */
export interface ClosingFacts {
  readonly count: Count
  /** Files that failed, and passed when they were run once more, alone. */
  readonly flaky: readonly {
    readonly path: string
    readonly failures: readonly Failure[]
    /** Where the second output is. */
    readonly log: string
  }[]
  readonly times: readonly { readonly name: string; readonly seconds: number }[]
  readonly files: readonly FileReport[]
  /** Commands for what an ordinary run does not hold. */
  readonly notAsked: readonly string[]
}

const SLOWEST_COUNT = 12
const MESSAGE_LINES = 6

/** The last line is exactly `N passed, N failed, N skipped`. */
export function closingLines({ count, flaky, times, files, notAsked }: ClosingFacts): string[] {
  const slowest = files
    .toSorted((one, other) => other.durationMs - one.durationMs)
    .slice(0, SLOWEST_COUNT)
    .map(({ path, durationMs, cpuMs }) => {
      const cpu = cpuMs === null ? '' : `, ${seconds(cpuMs)} of a processor`
      return `${path} ${seconds(durationMs)}${cpu}`
    })
  return [
    '',
    `times: ${times.map((step) => `${step.name} ${step.seconds.toFixed(1)} s`).join(', ')}`,
    ...section('slowest files:', slowest),
    ...section('commands of their own:', notAsked),
    ...section('skipped:', count.skipped),
    ...flaky.flatMap(({ path, failures, log }) => [
      `FLAKY: ${path} failed, then passed alone (its second output: ${log})`,
      ...failures.flatMap(failureLines),
    ]),
    ...section('failed:', count.failed.flatMap(failureLines)),
    '',
    `${count.passed} passed, ${count.failed.length} failed, ${count.skipped.length} skipped`,
  ]
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)]
}

function failureLines({ name, message }: Failure): string[] {
  const lines = message.split('\n').slice(0, MESSAGE_LINES)
  return [name, ...lines.filter((line) => line.trim() !== '').map((line) => `    ${line.trim()}`)]
}
