import type { Command } from 'commander'
import { describeError, isLandbridgeError } from '../../base/errors.ts'
import { hanging } from '../../base/plain-text.ts'
import { plural } from '../../base/quantity-text.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { loadConfig } from '../../gateway/config/load-config.ts'
import { ExitCode } from '../exit-code.ts'
import { output } from '../terminal/terminal.ts'
import { type CheckFinding, checks } from './check-list.ts'

interface CheckOptions {
  readonly config: string
  readonly offline?: boolean
  readonly json?: boolean
}

export type NamedFinding = CheckFinding & { readonly check: string }

export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .summary('find what would not work, before it matters')
    .description(
      'Reads a configuration with all that it names and says everything that is wrong at once;\n' +
        'then looks at this machine and at the databases that it names.',
    )
    .requiredOption('-c, --config <file>', 'configuration of the gateway')
    .option('--offline', 'only the files: ask nothing of machine, network or database')
    .option('--json', 'print one JSON object')
    .action(async (options: CheckOptions) => {
      const config = await loadConfig(options.config)
      const findings = await runChecks(config, options)
      const ok = findings.every(({ severity }) => severity !== 'error')
      const body = { schema: 1, ok, file: options.config, findings }
      output.show(options, body, ({ findings }) => formatFindings(findings))
      process.exitCode = ok ? ExitCode.Ok : ExitCode.Failure
    })
}

export async function runChecks(
  config: GatewayConfig,
  options: { readonly offline?: boolean | undefined },
): Promise<NamedFinding[]> {
  const findings: NamedFinding[] = [
    { check: 'config', severity: 'ok', message: `${config.path} and its files are good` },
  ]
  for (const check of checks) {
    if (options.offline === true && !check.offline) continue
    for (const finding of await settle(check.run(config))) {
      findings.push({ check: check.name, ...finding })
    }
  }
  return findings
}

/** A check that fails itself is a finding: the ones after it still run. */
async function settle(running: Promise<readonly CheckFinding[]>): Promise<readonly CheckFinding[]> {
  try {
    return await running
  } catch (error) {
    const remedy = isLandbridgeError(error) ? error.remedy : undefined
    const finding = { severity: 'error', message: describeError(error) } as const
    return [remedy === undefined ? finding : { ...finding, remedy }]
  }
}

export function formatFindings(findings: readonly NamedFinding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines: string[] = []
  for (const { check, severity, message, remedy } of findings) {
    const margin = width + 11
    lines.push(`${severity.padEnd(8)} ${check.padEnd(width)}  ${hanging(message, margin)}`)
    if (remedy !== undefined) lines.push(`${' '.repeat(margin)}${hanging(remedy, margin)}`)
  }
  const count = (wanted: string) => findings.filter(({ severity }) => severity === wanted).length
  lines.push('', `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}`)
  return `${lines.join('\n')}\n`
}
