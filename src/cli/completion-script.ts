export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish'] as const
export type CompletionShell = (typeof COMPLETION_SHELLS)[number]

export interface CompletionTree {
  readonly name: string
  readonly summary: string
  readonly options: readonly { readonly long: string; readonly description: string }[]
  readonly commands: readonly CompletionTree[]
}

/** A script for the shell that completes the commands and options of the tree. */
export function completionScript(shell: CompletionShell, tree: CompletionTree): string {
  if (shell === 'bash') return bashScript(tree)
  return shell === 'zsh' ? zshScript(tree) : fishScript(tree)
}

interface CompletionState {
  /** The command words so far without the program's name, such as `replica attach`. */
  readonly path: string
  readonly tree: CompletionTree
}

function statesOf(tree: CompletionTree, path: readonly string[] = []): CompletionState[] {
  const below = tree.commands.flatMap((child) => statesOf(child, [...path, child.name]))
  return [{ path: path.join(' '), tree }, ...below]
}

function wordsOf(tree: CompletionTree): string[] {
  return [...tree.commands.map(({ name }) => name), ...tree.options.map(({ long }) => long)]
}

/** Walks the words typed so far as long as they are commands; files where nothing fits. */
function bashScript(tree: CompletionTree): string {
  const states = statesOf(tree)
  const cases = states.map(
    ({ path, tree: at }) => `    '${path}') echo '${wordsOf(at).join(' ')}' ;;`,
  )
  const paths = states.map(({ path }) => `'${path}'`).join('|')
  return `# bash completion of ${tree.name}
_${tree.name}_words() {
  case "$1" in
${cases.join('\n')}
  esac
}
_${tree.name}() {
  local path='' next word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${paths}) path="$next" ;; esac
  done
  COMPREPLY=($(compgen -W "$(_${tree.name}_words "$path")" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${tree.name} ${tree.name}
`
}

function zshScript(tree: CompletionTree): string {
  const states = statesOf(tree)
  const cases = states.map(({ path, tree: at }) => {
    const commands = at.commands.map((child) => zshItem(child.name, child.summary))
    const options = at.options.map(({ long, description }) => zshItem(long, description))
    return `    '${path}') items=(${[...commands, ...options].join(' ')}) ;;`
  })
  const paths = states.map(({ path }) => `'${path}'`).join('|')
  return `#compdef ${tree.name}
_${tree.name}() {
  local completed='' next word
  local -a items
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${completed:+$completed }$word"
    case "$next" in (${paths}) completed="$next" ;; esac
  done
  case "$completed" in
${cases.join('\n')}
  esac
  _describe -t commands ${tree.name} items || _files
}
compdef _${tree.name} ${tree.name}
`
}

function zshItem(word: string, description: string): string {
  return quote(`${word}:${description.replaceAll(':', '\\:')}`)
}

function fishScript(tree: CompletionTree): string {
  const lines = statesOf(tree).flatMap(({ path, tree: at }) => {
    const condition = quote(`__${tree.name}_at ${path}`.trimEnd())
    const head = `complete -c ${tree.name} -n ${condition}`
    return [
      ...at.commands.map((child) => `${head} -f -a ${child.name} -d ${quote(child.summary)}`),
      ...at.options.map(
        (option) => `${head} -l ${option.long.slice(2)} -d ${quote(option.description)}`,
      ),
    ]
  })
  return `# fish completion of ${tree.name}
function __${tree.name}_at
  set -l words (string match -v -- '-*' (commandline -opc)[2..])
  test "$words" = "$argv"
end
${lines.join('\n')}
`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
