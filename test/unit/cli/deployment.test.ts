import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { beforeAll, expect, test } from 'vitest'
import { buildProgram } from '../../../src/cli/main.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const FILES = [
  'docker-compose.yml',
  'gateway/Dockerfile',
  'gateway/README.md',
  'gateway/cloud-init/azure.yaml',
  'gateway/cloud-init/ec2.yaml',
  'gateway/landbridge@.service',
]

let program: Command

beforeAll(async () => {
  program = await buildProgram()
}, 60_000)

/** `landbridge COMMAND ... --flag ...` as far as the line, the quote or the shell goes. */
function commandLines(text: string): string[] {
  const folded = text.replaceAll(/\n {6}(?=--)/g, ' ')
  return [...folded.matchAll(/\blandbridge ([a-z][^`\n"|;&)]*)/g)].map((match) => match[1] ?? '')
}

test.each(FILES)('every command and flag in %s exists', async (file) => {
  const text = await readFile(`${ROOT}${file}`, 'utf8')
  for (const line of commandLines(text)) {
    const [first = '', second = ''] = line.split(/\s+/)
    const command = program.commands.find((candidate) => candidate.name() === first)
    if (command === undefined) continue
    const sub = command.commands.find((candidate) => candidate.name() === second) ?? command
    const known = sub.options.map(({ long }) => long)
    for (const [flag] of line.matchAll(/--[a-z-]+/g)) expect(known, line).toContain(flag)
  }
})

test('the flags that init is given on new machines are looked at', async () => {
  const text = await readFile(`${ROOT}gateway/cloud-init/ec2.yaml`, 'utf8')
  const init = commandLines(text).find((line) => line.startsWith('init'))
  expect(init).toContain('--credentials')
  expect(init).toContain('--production-endpoint')
})

test('the unit waits for what the service manager is told', async () => {
  const unit = await readFile(`${ROOT}gateway/landbridge@.service`, 'utf8')
  const teller = await readFile(`${ROOT}src/cli/service-manager.ts`, 'utf8')
  for (const line of ['Type=notify', 'NotifyAccess=all']) {
    expect(unit).toContain(`\n${line}\n`)
    expect(teller).toContain(line)
  }
  for (const message of ['READY=1', 'WATCHDOG=1', 'STOPPING=1']) expect(teller).toContain(message)
})
