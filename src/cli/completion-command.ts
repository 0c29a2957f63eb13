import type { Command } from 'commander'
import { Argument } from 'commander'
import type { CompletionShell, CompletionTree } from './completion-script.ts'
import { COMPLETION_SHELLS, completionScript } from './completion-script.ts'
import { output } from './terminal.ts'

const INSTRUCTIONS = `
Install:
  bash   landbridge completion bash > /etc/bash_completion.d/landbridge
  zsh    landbridge completion zsh > "\${fpath[1]}/_landbridge"
  fish   landbridge completion fish > ~/.config/fish/completions/landbridge.fish`

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .summary('print a completion script for bash, zsh or fish')
    .description('Prints a completion script; it completes commands and options.')
    .addArgument(new Argument('<shell>', 'the shell').choices(COMPLETION_SHELLS))
    .addHelpText('after', INSTRUCTIONS)
    .action(async (shell: CompletionShell) => {
      // The running program holds only the names of the other commands: load them all.
      const { buildProgram } = await import('./main.ts')
      output.write(completionScript(shell, treeOf(await buildProgram())))
    })
}

function treeOf(command: Command): CompletionTree {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: [
      { long: '--help', description: 'show help' },
      ...command.options.flatMap(({ long, description, hidden }) =>
        typeof long === 'string' && !hidden ? [{ long, description }] : [],
      ),
    ],
    commands: command.commands.map(treeOf),
  }
}
