import type { CampaignResult } from './engine/campaign.ts'
import type { FuzzFigures } from './engine/fuzzer.ts'
import type { TargetName } from './targets.ts'

/** What a run of one target came to, as `--json` prints it. */
export interface TargetReport extends FuzzFigures {
  readonly target: TargetName
  readonly executionsPerSecond: number
  readonly findings: readonly { readonly key: string; readonly file: string }[]
}

export function reportOf(
  target: TargetName,
  result: CampaignResult,
  files: readonly string[],
): TargetReport {
  const { figures, findings } = result
  const seconds = figures.elapsedMs / 1000
  return {
    target,
    ...figures,
    executionsPerSecond: seconds > 0 ? Math.round(figures.executions / seconds) : 0,
    findings: findings.map(({ key }, index) => ({ key, file: files[index] ?? '' })),
  }
}

const HEAD = ['target', 'executions', 'per second', 'branches', 'corpus', 'slowest ms', 'grown MB']

export function tableOf(reports: readonly TargetReport[]): string {
  const rows = reports.map((report) => [
    report.target,
    `${report.executions}`,
    `${report.executionsPerSecond}`,
    `${report.covered} of ${report.branches}`,
    `${report.corpus}`,
    report.slowestMs.toFixed(0),
    (report.grownBytes / 1e6).toFixed(1),
  ])
  const sum = reports.reduce((total, { executions }) => total + executions, 0)
  const lines = [HEAD, ...rows, ['all', `${sum}`, '', '', '', '', '']]
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  const text = lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return `${text.join('\n')}\n`
}

export function progressOf(target: string, figures: FuzzFigures): string {
  const perSecond = Math.round((figures.executions / Math.max(1, figures.elapsedMs)) * 1000)
  return (
    `${target}: ${figures.executions} executions, ${perSecond} per second, ` +
    `${figures.covered} branches, corpus ${figures.corpus}`
  )
}
