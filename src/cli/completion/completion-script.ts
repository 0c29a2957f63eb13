import type { CompletionOption, CompletionTree, CompletionValue } from './completion-tree.ts'

export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish'] as const
export type CompletionShell = (typeof COMPLETION_SHELLS)[number]

/** A script for the shell that completes commands, options and their values. */
export function completionScript(shell: CompletionShell, tree: CompletionTree): string {
  if (shell === 'fish') return fishScript(tree)
  return shell === 'bash' ? bashScript(tree) : zshScript(tree)
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

/** `-c|--config`, for a pattern of a case. */
function spellings({ long, short }: CompletionOption): string[] {
  return short === undefined ? [long] : [short, long]
}

function valueText(value: CompletionValue): string {
  if (value.kind === 'words') return `words ${value.words.join(' ')}`
  return value.kind === 'names' ? `names ${value.of}` : value.kind
}

/** Lines of a `case "$1 $2"` over command and option, that say what value the option takes. */
function valueCases(tree: CompletionTree): string {
  const lines = statesOf(tree).flatMap(({ path, tree: at }) =>
    at.options.flatMap((option) => {
      if (option.value === null) return []
      const patterns = spellings(option).map((word) => quote(`${path} ${word}`.trimStart()))
      return [`    ${patterns.join('|')}) echo ${quote(valueText(option.value))} ;;`]
    }),
  )
  return lines.join('\n')
}

/** What the command's own arguments can be: words only, each in its turn is too much to promise. */
function argumentWords(tree: CompletionTree): string[] {
  return tree.arguments.flatMap((value) => (value.kind === 'words' ? value.words : []))
}

/**
 * The part that bash and zsh have in common: walks the words typed so far as long as they are
 * commands, and passes over the values of options. It leaves `reached`, `option` (whose value is
 * being typed, or empty) and `config` (of `--config`).
 */
function walker(name: string, states: readonly CompletionState[]): string {
  return `  local reached='' option='' config='' next word
  for word in "$@"; do
    if [ -n "$option" ]; then
      case "$word" in '=') continue ;; esac
      case "$option" in -c|--config) config="$word" ;; esac
      option=''
      continue
    fi
    case "$word" in
      --*=*) case "$word" in --config=*) config="\${word#*=}" ;; esac; continue ;;
      -*)
        if [ -n "$(_${name}_value "\${reached:+$reached }$word")" ]; then option="$word"; fi
        continue ;;
    esac
    next="\${reached:+$reached }$word"
    case "$next" in ${states.map(({ path }) => quote(path)).join('|')}) reached="$next" ;; esac
  done`
}

function valueFunction(tree: CompletionTree): string {
  return `_${tree.name}_value() {
  case "$1" in
${valueCases(tree)}
  esac
}`
}

function bashScript(tree: CompletionTree): string {
  const { name } = tree
  const states = statesOf(tree)
  const cases = states.map(({ path, tree: at }) => {
    const commands = at.commands.map((child) => child.name)
    const words = [...commands, ...argumentWords(at), ...at.options.map(({ long }) => long)]
    return `    ${quote(path)}) echo ${quote(words.join(' '))} ;;`
  })
  return `# bash completion of ${name}
_${name}_words() {
  case "$1" in
${cases.join('\n')}
  esac
}
${valueFunction(tree)}
_${name}_reply() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$@"))
}
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" value
  set -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}"
${walker(name, states)}
  # bash makes a word of its own of the = in --config=FILE.
  if [ "$current" = '=' ]; then current=''; fi
  value=''
  if [ -n "$option" ]; then value="$(_${name}_value "\${reached:+$reached }$option")"; fi
  case "$value" in
    file) compopt -o filenames 2>/dev/null; _${name}_reply -f -- "$current" ;;
    folder) compopt -o filenames 2>/dev/null; _${name}_reply -d -- "$current" ;;
    words*) COMPREPLY=($(compgen -W "\${value#words }" -- "$current")) ;;
    names*) COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" completion values \${value#names } \\
      --config "$config" 2>/dev/null)" -- "$current")) ;;
    anything) COMPREPLY=() ;;
    *) COMPREPLY=($(compgen -W "$(_${name}_words "$reached")" -- "$current")) ;;
  esac
}
complete -F _${name} ${name}
`
}

function zshScript(tree: CompletionTree): string {
  const { name } = tree
  const states = statesOf(tree)
  const cases = states.map(({ path, tree: at }) => {
    const commands = at.commands.map((child) => zshItem(child.name, child.summary))
    const values = argumentWords(at).map((word) => zshItem(word, ''))
    const options = at.options.map(({ long, description }) => zshItem(long, description))
    return `    ${quote(path)}) items=(${[...commands, ...values, ...options].join(' ')}) ;;`
  })
  return `#compdef ${name}
${valueFunction(tree)}
_${name}() {
  local value=''
  local -a items
  local program="\${words[1]}" current="\${words[CURRENT]}"
  set -- "\${(@)words[2,CURRENT-1]}"
${walker(name, states)}
  if [[ "$current" == --*=* ]]; then
    option="\${current%%=*}"
    compset -P '*='
  fi
  if [[ -n "$option" ]]; then value="$(_${name}_value "\${reached:+$reached }$option")"; fi
  case "$value" in
    file) _files ;;
    folder) _files -/ ;;
    words*) compadd -- \${=value#words } ;;
    names*) compadd -- \${(f)"$("$program" completion values \${value#names } \\
      --config "$config" 2>/dev/null)"} ;;
    anything) ;;
    *)
      case "$reached" in
${cases.map((line) => `  ${line}`).join('\n')}
      esac
      _describe -t commands ${name} items ;;
  esac
}
compdef _${name} ${name}
`
}

function zshItem(word: string, description: string): string {
  return quote(`${word}:${description.replaceAll(':', '\\:')}`)
}

function fishScript(tree: CompletionTree): string {
  const { name } = tree
  const states = statesOf(tree)
  const lines = states.flatMap(({ path, tree: at }) => {
    const condition = quote(`__${name}_at ${path}`.trimEnd())
    const head = `complete -c ${name} -n ${condition}`
    return [
      ...at.commands.map((child) => `${head} -f -a ${child.name} -d ${quote(child.summary)}`),
      ...argumentWords(at).map((word) => `${head} -f -a ${quote(word)}`),
      ...at.options.map((option) => `${head} ${fishOption(option, name)}`),
    ]
  })
  const options = states.flatMap(({ tree: at }) => at.options)
  const taking = new Set(options.filter(({ value }) => value !== null).flatMap(spellings))
  return `# fish completion of ${name}
function __${name}_at
  set -l words
  set -l passes 0
  for word in (commandline -opc)[2..]
    if test $passes = 1
      set passes 0
    else if contains -- $word ${[...taking].join(' ')}
      set passes 1
    else if not string match -q -- '-*' $word
      set -a words $word
    end
  end
  test "$words" = "$argv"
end
function __${name}_names
  set -l config
  set -l takes 0
  for word in (commandline -opc)
    if test $takes = 1
      set config $word
    end
    set takes (contains -- $word -c --config; and echo 1; or echo 0)
    if string match -q -- '--config=*' $word
      set config (string replace -- '--config=' '' $word)
    end
  end
  ${name} completion values $argv[1] --config "$config" 2>/dev/null
end
complete -c ${name} -f
${lines.join('\n')}
`
}

function fishOption({ long, short, description, value }: CompletionOption, name: string): string {
  const names = [...(short === undefined ? [] : ['-s', short.slice(1)]), '-l', long.slice(2)]
  const parts = [...names, ...(value === null ? [] : fishValue(value, name))]
  return [...parts, '-d', quote(description)].join(' ')
}

function fishValue(value: CompletionValue, name: string): string[] {
  switch (value.kind) {
    case 'file':
      return ['-r', '-F']
    case 'folder':
      return ['-x', '-a', quote('(__fish_complete_directories)')]
    case 'words':
      return ['-x', '-a', quote(value.words.join(' '))]
    case 'names':
      return ['-x', '-a', quote(`(__${name}_names ${value.of})`)]
    case 'anything':
      return ['-x']
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
