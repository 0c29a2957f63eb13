import type { Command } from 'commander'
import { expect, test, vi } from 'vitest'
import { findCommand, HELP_EXAMPLES } from '../../../../src/cli/completion/help-examples.ts'
import { buildProgram } from '../../../../src/cli/main.ts'

/** Every command is loaded, all that it imports too. */
vi.setConfig({ testTimeout: 30_000 })

/** `completion` says how to install its script instead; its scripts ask it for values. */
const OTHERWISE = ['completion', 'completion values']

function leaves(command: Command, path: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [path.join(' ')]
  return command.commands.flatMap((one) => leaves(one, [...path, one.name()]))
}

/** As a shell would: what is quoted here has no space in it. */
function wordsOf(example: string): string[] {
  return example.split(' ').map((word) => word.replaceAll("'", ''))
}

test('every command has examples, and there is none for a command that is not', async () => {
  const all = leaves(await buildProgram()).filter((path) => !OTHERWISE.includes(path))
  expect(Object.keys(HELP_EXAMPLES).sort()).toEqual(all.sort())
})

test('every example is taken by its command, up to what it would do', async () => {
  const program = await buildProgram()
  for (const [path, examples] of Object.entries(HELP_EXAMPLES)) {
    const command = findCommand(program, path)
    command?.action(() => undefined)
    for (const example of examples) {
      expect(example.startsWith(path)).toBe(true)
      await expect(program.parseAsync(wordsOf(example), { from: 'user' })).resolves.toBe(program)
    }
  }
})
