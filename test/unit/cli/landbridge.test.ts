import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { buildProgram } from '../../../src/cli/main.ts'

const LAUNCHER = fileURLToPath(new URL('../../../src/cli/landbridge.mjs', import.meta.url))

function landbridge(...args: string[]) {
  return spawnSync(process.execPath, [LAUNCHER, ...args], { encoding: 'utf8' })
}

describe('landbridge', () => {
  test('lists every command with its summary in the help', () => {
    const { stdout, status } = landbridge('--help')
    expect(status).toBe(0)
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toContain(name)
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain(summary)
    }
  })

  test('ends with 2 and the help when a command or option does not exist', () => {
    expect(landbridge('no-such-command')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("unknown command 'no-such-command'"),
    })
    expect(landbridge('version', '--no-such-option')).toMatchObject({ status: 2 })
  })

  test('prints one JSON object for version --json', () => {
    const { stdout } = landbridge('version', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ node: process.versions.node })
  })

  test('says what is missing when no suitable Node is installed beside it', () => {
    const code = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' })
      process.env.LANDBRIDGE_RELAUNCHED = '1'
      await import(${JSON.stringify(LAUNCHER)})`
    const args = ['--input-type=module', '-e', code]
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr).toContain('needs Node 22.18 or newer; this is 20.1.0')
  })

  test('each command adds itself under the name and summary of the table', async () => {
    const program = await buildProgram()
    const added = program.commands.map((command) => [command.name(), command.summary()])
    expect(added).toEqual(COMMANDS.map(({ name, summary }) => [name, summary]))
  })
})
