import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import type { CompletionTree } from '../../../src/cli/completion-script.ts'
import { completionScript } from '../../../src/cli/completion-script.ts'

const tree: CompletionTree = {
  name: 'landbridge',
  summary: '',
  options: [{ long: '--help', description: "what's this: help" }],
  commands: [
    {
      name: 'replica',
      summary: 'the native replica',
      options: [],
      commands: [
        {
          name: 'attach',
          summary: 'point a replica here',
          options: [{ long: '--dry-run', description: 'only print' }],
          commands: [],
        },
      ],
    },
  ],
}

function completeInBash(...words: string[]): string[] {
  const script = `${completionScript('bash', tree)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_landbridge; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  expect(status).toBe(0)
  return stdout.split('\n').filter((line) => line !== '')
}

describe('completionScript', () => {
  test('completes commands, subcommands and their options in bash', () => {
    expect(completeInBash('landbridge', '')).toEqual(['replica', '--help'])
    expect(completeInBash('landbridge', 'replica', 'a')).toEqual(['attach'])
    expect(completeInBash('landbridge', 'replica', '--json', 'attach', '--')).toEqual(['--dry-run'])
  })

  test('quotes colons and quotes of descriptions for zsh', () => {
    expect(completionScript('zsh', tree)).toContain("'--help:what'\\''s this\\: help'")
  })

  test('gives fish one line a word with the commands that it belongs to', () => {
    expect(completionScript('fish', tree)).toContain(
      "complete -c landbridge -n '__landbridge_at replica attach' -l dry-run -d 'only print'",
    )
  })
})
