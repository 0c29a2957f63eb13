import { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LandbridgeError } from '../../../../src/base/errors.ts'
import { ExitCode, exitCodeFor } from '../../../../src/cli/exit-code.ts'
import { addReplicaCommand } from '../../../../src/cli/replica/replica-command.ts'
import { saveTerm } from '../../../../src/gateway/term-file.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'

let pair: PairFolder
let dataDir: string
/** By commander. */
let said: string[] = []

beforeEach(async () => {
  pair = await PairFolder.create()
  dataDir = await pair.useDataDirectory()
  for (const name of ['ec2', 'azure']) {
    await pair.edit(`gateway/${name}.yaml`, [
      `/run/landbridge/${name}.sock`,
      pair.at(`${name}.sock`),
    ])
  }
})

afterEach(async () => {
  await pair[Symbol.asyncDispose]()
})

async function run(...words: readonly string[]): Promise<unknown> {
  said = []
  const program = new Command().exitOverride().configureOutput({
    writeErr: (text) => void said.push(text),
  })
  addReplicaCommand(program)
  return await program.parseAsync(['replica', ...words], { from: 'user' })
}

async function replica(name: string, ...words: readonly string[]): Promise<unknown> {
  return await run(...words, '--config', pair.at('gateway', `${name}.yaml`))
}

const status = (name: string) => replica(name, 'status')

test('nothing is attached where no gateway runs: it would follow nobody', async () => {
  await expect(replica('azure', 'attach')).rejects.toMatchObject({
    code: 'ERR_GATEWAY_NOT_RUNNING',
    remedy: expect.stringContaining('landbridge run'),
  })
})

test('where no gateway runs, the commands look at what the configuration says', async () => {
  for (const words of [['status'], ['detach'], ['attach', '--dry-run']]) {
    await expect(replica('azure', ...words)).rejects.toMatchObject({
      code: 'ERR_USAGE',
      remedy: expect.stringContaining('`database:` section'),
    })
  }
  for (const words of [
    ['status', '--peer', 'ec2'],
    ['detach', '--socket', '/nowhere.sock'],
  ]) {
    await expect(replica('azure', ...words)).rejects.toMatchObject({
      code: 'ERR_GATEWAY_NOT_RUNNING',
    })
  }
})

test('a password is printed of a plan alone, and never asked of a gateway', async () => {
  for (const words of [[], ['--dry-run', '--peer', 'ec2']]) {
    await expect(replica('azure', 'attach', '--show-password', ...words)).rejects.toMatchObject({
      code: 'ERR_USAGE',
    })
  }
})

test.each([
  ['--relay-host', '', /A host name or address/],
  ['--relay-host', 'x'.repeat(256), /up to 255 characters/],
  ['--relay-ca', '', /A path/],
  ['--channel', 'x'.repeat(65), /A name of up to 64 characters/],
])('a wrong %s is named in words of the command', async (flag, value, words) => {
  await expect(replica('azure', 'attach', flag, value)).rejects.toMatchObject({
    code: 'commander.invalidArgument',
    message: expect.stringMatching(words),
  })
  expect(said.join('')).toContain(flag)
})

test('what the gateway does not take is a wrong argument, too', () => {
  expect(exitCodeFor(new LandbridgeError('ERR_OPERATION_INPUT', 'x'))).toBe(ExitCode.Usage)
})

test('a dry run of forgetting a replica sees that there is a gateway to ask', async () => {
  const forgetting = replica('azure', 'detach', 'id:7', '--dry-run')
  await expect(forgetting).rejects.toMatchObject({ code: 'ERR_GATEWAY_NOT_RUNNING' })
  const nowhere = run('detach', 'id:7', '--dry-run', '--config', pair.at('nonexistent.yaml'))
  await expect(nowhere).rejects.toMatchObject({ code: 'ERR_CONFIG' })
})

test('the database of an origin follows nobody, by the term that is known', async () => {
  await expect(status('ec2')).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: 'ec2 is the origin of stream main: its database follows nobody',
  })
  const record = { term: 2, origin: 'azure', sinceMs: 1, by: 'azure', reason: null }
  const stream = { name: 'main', origin: 'ec2' }
  await saveTerm({ dataDir, site: 'azure', stream }, { record, fence: false })
  await expect(status('azure')).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('what a copy lacks is named with the section to add', async () => {
  await expect(status('azure')).rejects.toMatchObject({
    code: 'ERR_USAGE',
    remedy: expect.stringContaining('`database:` section'),
  })
  const file = 'gateway/azure.yaml'
  await pair.edit(file, [
    / {4}relay:.*?relay\.password\n/s.exec(await pair.read(file))?.[0] ?? '?',
    '',
  ])
  await expect(status('azure')).rejects.toMatchObject({
    remedy: expect.stringContaining('`relay:` section'),
  })
})
