import { Command, CommanderError } from 'commander'
import { packageVersion } from '../base/version.ts'
import { COMMANDS } from './commands.ts'
import { addExamples } from './completion/help-examples.ts'
import { errorJson, formatError } from './error-report.ts'
import { ExitCode, exitCodeFor } from './exit-code.ts'
import { errorOutput, output } from './terminal/terminal.ts'

const HELP_COLUMNS_MAX = 104

const EXAMPLES = `
Examples:
  landbridge init --help                           make the files of all gateways
  landbridge check --config gateway/ec2.yaml       find what would not work, before it matters
  landbridge run --config gateway/ec2.yaml         run a gateway in the foreground
  landbridge status --config gateway/azure.yaml    tunnel, lag, and what a failover would lose
  landbridge demo --flavor mysql                   two clouds on this machine, under load

Exit codes:
  0 fine   1 failed or degraded   2 wrong arguments or configuration
  3 blocked until somebody acts   4 the gateway does not answer

An error line names its code; what each code means is in src/base/ERRORS.md.`

/** Runs the command line `landbridge ARGUMENTS` and leaves the outcome in `process.exitCode`. */
export async function main(args: readonly string[]): Promise<void> {
  // `landbridge status | head -1` is not an error.
  output.onClosedPipe(() => process.exit(process.exitCode ?? ExitCode.Ok))
  try {
    const program = await buildProgram(commandNameOf(args))
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    process.exitCode = reportFailure(error, wantsJson(args))
  }
}

/**
 * The program with the named command loaded and the others known by name and summary only.
 * Without a name every command is loaded.
 */
export async function buildProgram(loadOnly?: string): Promise<Command> {
  const program = new Command('landbridge')
    .description('Joins two clouds so that a MySQL or MariaDB database survives the loss of one.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .configureOutput({
      getOutHelpWidth: helpColumns,
      getErrHelpWidth: helpColumns,
      writeOut: (text) => output.write(text),
      writeErr: (text) => errorOutput.write(text),
    })
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(landbridge --help lists the commands)')
    .enablePositionalOptions()
    .exitOverride()
  for (const entry of COMMANDS) {
    if (loadOnly === undefined || loadOnly === entry.name) (await entry.load())(program)
    else program.command(entry.name).summary(entry.summary)
  }
  addExamples(program)
  return program
}

/** As wide as our own texts are, unless the terminal is narrower. */
function helpColumns(): number {
  return Math.min(output.columns ?? HELP_COLUMNS_MAX, HELP_COLUMNS_MAX)
}

/** `landbridge help run` needs `run` as much as `landbridge run` does. */
function commandNameOf(args: readonly string[]): string {
  const words = args.filter((word) => !word.startsWith('-'))
  return (words[0] === 'help' ? words[1] : words[0]) ?? ''
}

function reportFailure(error: unknown, json: boolean): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has printed its message, or the help or version that was asked for.
    return error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage
  }
  if (json) output.writeJson(errorJson(error))
  else errorOutput.write(formatError(error))
  return exitCodeFor(error)
}

function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end === -1 ? args.length : end).includes('--json')
}

if (import.meta.main) await main(process.argv.slice(2))
