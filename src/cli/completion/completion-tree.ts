import type { Argument, Command, Option } from 'commander'

/** What can stand where a value is expected. */
export type CompletionValue =
  | { readonly kind: 'anything' }
  | { readonly kind: 'file' }
  | { readonly kind: 'folder' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  /** Asked of `landbridge completion values NAME` when it is needed. */
  | { readonly kind: 'names'; readonly of: 'streams' | 'labs' }

export interface CompletionOption {
  readonly long: string
  /** `-c`. */
  readonly short?: string
  readonly description: string
  /** Null for a switch. */
  readonly value: CompletionValue | null
}

export interface CompletionTree {
  readonly name: string
  readonly summary: string
  readonly options: readonly CompletionOption[]
  /** Of the command itself, in their order. */
  readonly arguments: readonly CompletionValue[]
  readonly commands: readonly CompletionTree[]
}

const FOLDERS = ['--data-dir', '--directory']
const ANYTHING = { kind: 'anything' } as const

/** What can be completed of a program, its commands and all below them. */
export function completionTree(command: Command): CompletionTree {
  const visible = command.createHelp().visibleCommands(command)
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: [
      { long: '--help', short: '-h', description: 'show help', value: null },
      ...command.options.flatMap(optionOf),
    ],
    arguments: command.registeredArguments.map(argumentOf),
    commands: command.commands.filter((one) => visible.includes(one)).map(completionTree),
  }
}

function optionOf(option: Option): CompletionOption[] {
  const { long, short, description, hidden } = option
  if (typeof long !== 'string' || hidden) return []
  const value = option.required || option.optional ? valueTaken(option) : null
  return [{ long, ...(short !== undefined && { short }), description, value }]
}

/** Choices say it themselves, else the name that the help gives to the value. */
function valueTaken({ long, flags, argChoices }: Option): CompletionValue {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices }
  if (long === '--stream') return { kind: 'names', of: 'streams' }
  if (FOLDERS.includes(long ?? '')) return { kind: 'folder' }
  if (/<lab>/.test(flags)) return { kind: 'names', of: 'labs' }
  return /<(?:file|path)>/.test(flags) ? { kind: 'file' } : ANYTHING
}

function argumentOf({ argChoices }: Argument): CompletionValue {
  return argChoices === undefined ? ANYTHING : { kind: 'words', words: argChoices }
}
