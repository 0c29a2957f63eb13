import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { completionScript } from '../../../../src/cli/completion/completion-script.ts'
import {
  type CompletionTree,
  completionTree,
} from '../../../../src/cli/completion/completion-tree.ts'
import { buildProgram, main } from '../../../../src/cli/main.ts'

const attach = {
  name: 'attach',
  summary: 'point a replica here',
  options: [
    { long: '--dry-run', description: 'only print', value: null },
    { long: '--ca', short: '-a', description: 'of whom', value: { kind: 'file' } },
    { long: '--stream', description: 'which', value: { kind: 'names', of: 'streams' } },
    { long: '--flavor', description: 'which', value: { kind: 'words', words: ['a', 'b'] } },
  ],
  arguments: [],
  commands: [],
} as const
const tree: CompletionTree = {
  name: 'landbridge',
  summary: '',
  options: [{ long: '--help', description: "what's this: help", value: null }],
  arguments: [],
  commands: [
    {
      name: 'replica',
      summary: 'the native replica',
      options: [],
      arguments: [],
      commands: [attach],
    },
  ],
}

let real: string
let folder: string

beforeAll(async () => {
  real = completionScript('bash', completionTree(await buildProgram()))
  folder = await mkdtemp(join(tmpdir(), 'lbcomplete-'))
  await mkdir(join(folder, 'gateway'))
  await writeFile(join(folder, 'gateway.yaml'), 'streams: [{ name: main }, { name: other }, 7]\n')
  await writeFile(join(folder, 'two words.yaml'), '')
})
afterAll(() => rm(folder, { recursive: true }))

/** What bash offers; `landbridge` itself, where the script asks it, only prints its arguments. */
function complete(words: readonly string[], script = real): string[] {
  const program = `cd '${folder}'
landbridge() { echo "asked:$*" | tr ' ' _; }
${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_landbridge; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, status } = spawnSync('bash', ['-c', program], { encoding: 'utf8' })
  expect(status).toBe(0)
  return stdout.split('\n').filter((line) => line !== '')
}

describe('in bash', () => {
  const small = completionScript('bash', tree)

  test('completes commands, subcommands and their options', () => {
    expect(complete(['landbridge', ''], small)).toEqual(['replica', '--help'])
    expect(complete(['landbridge', 'replica', 'a'], small)).toEqual(['attach'])
    expect(complete(['landbridge', 'replica', '--json', 'attach', '--d'], small)).toEqual([
      '--dry-run',
    ])
  })

  test('completes files where an option takes one, and goes on behind its value', () => {
    const files = ['gateway', 'gateway.yaml', 'two words.yaml']
    expect(complete(['landbridge', 'check', '--config', '']).sort()).toEqual(files)
    expect(complete(['landbridge', 'check', '-c', 'gate']).sort()).toEqual(files.slice(0, 2))
    expect(complete(['landbridge', 'check', '--config', '=', 'two'])).toEqual(['two words.yaml'])
    expect(complete(['landbridge', 'init', '--data-dir', ''])).toEqual(['gateway'])
    expect(complete(['landbridge', 'tunnel', 'show', '-c', 'up', '--j'])).toEqual(['--json'])
  })

  test('completes the values of what has a few, and none of what can be anything', () => {
    expect(complete(['landbridge', 'run', '--log-level', ''])).toEqual([
      ...['debug', 'info', 'warn', 'error'],
    ])
    expect(complete(['landbridge', 'demo', '--flavor', 'ma'])).toEqual(['mariadb'])
    expect(complete(['landbridge', 'lab', 'kill', 'azure'])).toEqual([
      ...['azure-gateway', 'azure-db', 'azure-db-main', 'azure-db-back', 'azure-gw'],
    ])
    expect(complete(['landbridge', 'completion', ''])).toContain('fish')
    expect(complete(['landbridge', 'demo', '--seconds', ''])).toEqual([])
  })

  test('asks landbridge for names, with the configuration that was typed', () => {
    const words = ['landbridge', 'replica', 'attach', '--config', 'gateway.yaml', '--stream', '']
    expect(complete(words)).toEqual(['asked:completion_values_streams_--config_gateway.yaml'])
  })
})

test('says the streams of a configuration, and nothing of one that is none', async () => {
  const written: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  try {
    const ask = (file: string) =>
      main(['completion', 'values', 'streams', '--config', join(folder, file)])
    await ask('nowhere.yaml')
    await ask('two words.yaml')
    expect(written.join('')).toBe('')
    await ask('gateway.yaml')
  } finally {
    vi.restoreAllMocks()
    process.exitCode = undefined
  }
  expect(written.join('')).toBe('main\nother\n')
})

test('quotes colons and quotes of descriptions for zsh', () => {
  const script = completionScript('zsh', tree)
  expect(script).toContain("'--help:what'\\''s this\\: help'")
  expect(script).toContain("'replica attach -a'|'replica attach --ca') echo 'file' ;;")
})

test('gives fish one line a word with the commands that it belongs to, and its values', () => {
  const head = "complete -c landbridge -n '__landbridge_at replica attach' "
  const lines = completionScript('fish', tree).split('\n')
  expect(lines).toContain(`${head}-l dry-run -d 'only print'`)
  expect(lines).toContain(`${head}-s a -l ca -r -F -d 'of whom'`)
  expect(lines).toContain(`${head}-l stream -x -a '(__landbridge_names streams)' -d 'which'`)
  expect(lines).toContain(`${head}-l flavor -x -a 'a b' -d 'which'`)
})
