import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AdminServer } from '../../../../src/api/admin-server.ts'
import { addStatusCommand } from '../../../../src/cli/status/status-command.ts'
import { repaint } from '../../../../src/cli/terminal/screen.ts'
import type { GatewayStatus } from '../../../../src/status/status.ts'
import { operationTableOf } from '../../../helpers/api/operation-table-of.ts'
import { drStatus } from '../../../helpers/status/status-fixture.ts'

let directory: string
let socketPath: string
let status: GatewayStatus
let written: string[]
let stopping: AbortController
let serving: Promise<void>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lb-'))
  socketPath = join(directory, 'azure.sock')
  status = drStatus
  written = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  stopping = new AbortController()
  const metrics = async (): Promise<string> => ''
  const operations = operationTableOf()
  const server = new AdminServer({ socketPath, status: () => status, metrics, operations })
  serving = server.run(stopping.signal)
})

afterEach(async () => {
  vi.restoreAllMocks()
  stopping.abort()
  await serving
  await rm(directory, { recursive: true })
  process.exitCode = undefined
})

function run(...args: string[]): Promise<Command> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  addStatusCommand(program)
  const all = ['status', '--socket', socketPath, ...args]
  for (const command of program.commands) command.copyInheritedSettings(program)
  return program.parseAsync(all, { from: 'user' })
}

async function untilServed(): Promise<void> {
  await expect
    .poll(() =>
      run('--json').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  written = []
}

describe('status command', () => {
  test.each([
    ['ok', 0],
    ['degraded', 1],
    ['blocked', 3],
  ] as const)('a gateway that is %s gives exit code %i', async (state, code) => {
    await untilServed()
    status = { ...drStatus, state }
    await run('--json')
    expect(JSON.parse(written.join(''))).toEqual(status)
    expect(process.exitCode).toBe(code)
    await run()
    expect(written.at(-1)).toContain(`azure (copy): ${state}, `)
  })

  test('--watch prints one line at a time until interrupted, through a gap', async () => {
    await untilServed()
    const watching = run('--watch', '--interval', '0.1')
    await expect.poll(() => written.length).toBeGreaterThan(1)
    stopping.abort()
    await serving
    await expect.poll(() => written.join('')).toContain('no gateway answers')
    process.emit('SIGINT')
    await watching
    expect(written[0]).toMatch(/ azure ok \| tunnel up \|/)
    expect(process.exitCode ?? 0).toBe(0)
    expect(process.listenerCount('SIGINT')).toBe(0)
  })

  test('refuses an interval that makes no sense', async () => {
    await expect(run('--interval', '0')).rejects.toMatchObject({ exitCode: 1 })
  })

  test('repaints from the top and clears what is left, within the screen', () => {
    expect(repaint('a\nb\nc\n', { rows: 3, columns: 80 })).toBe(
      '\u001b[Ha\u001b[K\n... and 2 more lines: make the window higher\u001b[K\n\u001b[J',
    )
    expect(repaint('a\nb\n', { rows: 3, columns: 80 })).toBe(
      '\u001b[Ha\u001b[K\nb\u001b[K\n\u001b[J',
    )
    const narrow = repaint('\u001b[1mabc\u001b[0md\n', { rows: 3, columns: 2 })
    expect(narrow).toBe('\u001b[H\u001b[1mab\u001b[0m\u001b[K\n\u001b[J')
    expect(repaint('abc\n', { rows: 0, columns: 0 })).toBe('\u001b[Habc\u001b[K\n\u001b[J')
  })
})
