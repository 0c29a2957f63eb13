import type { Command } from 'commander'
import { Argument } from 'commander'
import * as field from '../../config/fields.ts'
import { Problems } from '../../config/problem.ts'
import { readYaml } from '../../config/yaml-file.ts'
import { listLabs } from '../../lab/lab-state.ts'
import { output } from '../terminal/terminal.ts'
import type { CompletionShell } from './completion-script.ts'
import { COMPLETION_SHELLS, completionScript } from './completion-script.ts'
import { completionTree } from './completion-tree.ts'

const INSTRUCTIONS = `
Install:
  bash   landbridge completion bash > /etc/bash_completion.d/landbridge
  zsh    landbridge completion zsh > "\${fpath[1]}/_landbridge"
  fish   landbridge completion fish > ~/.config/fish/completions/landbridge.fish`

export function addCompletionCommand(program: Command): void {
  const completion = program
    .command('completion')
    .summary('print a completion script for bash, zsh or fish')
    .description('Prints a completion script; it completes commands, options and their values.')
    .addArgument(new Argument('<shell>', 'the shell').choices(COMPLETION_SHELLS))
    .addHelpText('after', INSTRUCTIONS)
    .action(async (shell: CompletionShell) => {
      // The running program holds only the names of the other commands: load them all.
      const { buildProgram } = await import('../main.ts')
      output.write(completionScript(shell, completionTree(await buildProgram())))
    })
  addValues(completion)
}

/** Asked by the scripts while somebody types: in doubt it says nothing. */
function addValues(completion: Command): void {
  completion
    .command('values', { hidden: true })
    .description('Prints the names that a script completes.')
    .addArgument(new Argument('<of>', 'what has names').choices(['streams', 'labs']))
    .option('-c, --config <file>', 'configuration with the streams')
    .action(async (of: 'streams' | 'labs', { config = '' }: { config?: string }) => {
      const names = of === 'labs' ? await listLabs() : await streamNames(config)
      output.write(names.map((name) => `${name}\n`).join(''))
    })
}

/** Only the names are read: whoever types need not be able to read the keys. */
async function streamNames(config: string): Promise<string[]> {
  const raw = config === '' ? null : await readYaml(config, new Problems())
  const { streams } = (raw ?? {}) as { readonly streams?: unknown }
  if (!Array.isArray(streams)) return []
  return streams.flatMap((stream: unknown) => {
    const { name } = (stream ?? {}) as { readonly name?: unknown }
    return typeof name === 'string' && field.name.safeParse(name).success ? [name] : []
  })
}
