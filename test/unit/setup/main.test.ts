import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../../src/setup/main.mjs', import.meta.url))

function setup(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })
}

test('ends with 2 and the usage for a command that it does not prepare', () => {
  const { status, stdout, stderr } = setup('no-such-command')
  expect(status).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('usage: main.mjs <demo|chaos|test|fuzz|bench|lab> -- [arguments]')
})

test('hands arguments and exit code through to what it prepares for', () => {
  const { status, stderr } = setup('test', '--', '--only', 'no-such-step,tidy')
  expect(status).toBe(2)
  expect(stderr).toContain('there is no step no-such-step')
})
