import { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addReplicaCommand } from '../../../../src/cli/replica/replica-command.ts'
import { saveTerm } from '../../../../src/gateway/term-file.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'

let pair: PairFolder
let dataDir: string

beforeEach(async () => {
  pair = await PairFolder.create()
  dataDir = await pair.useDataDirectory()
})

afterEach(async () => {
  await pair[Symbol.asyncDispose]()
})

async function attach(name: string): Promise<unknown> {
  const program = new Command().exitOverride()
  addReplicaCommand(program)
  const config = pair.at('gateway', `${name}.yaml`)
  return program.parseAsync(['replica', 'attach', '--config', config], { from: 'user' })
}

test('the database of an origin follows nobody, by the term that is known', async () => {
  await expect(attach('ec2')).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: 'ec2 is the origin of stream main: its database follows nobody',
  })
  const record = { term: 2, origin: 'azure', sinceMs: 1, by: 'azure', reason: null }
  const stream = { name: 'main', origin: 'ec2' }
  await saveTerm({ dataDir, site: 'azure', stream }, { record, fence: false })
  await expect(attach('azure')).rejects.toMatchObject({ code: 'ERR_USAGE' })
})

test('what a copy lacks is named with the section to add', async () => {
  await expect(attach('azure')).rejects.toMatchObject({
    code: 'ERR_USAGE',
    remedy: expect.stringContaining('`database:` section'),
  })
  const file = 'gateway/azure.yaml'
  await pair.edit(file, [
    / {4}relay:.*?relay\.password\n/s.exec(await pair.read(file))?.[0] ?? '?',
    '',
  ])
  await expect(attach('azure')).rejects.toMatchObject({
    remedy: expect.stringContaining('`relay:` section'),
  })
})
