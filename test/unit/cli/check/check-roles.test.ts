import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runChecks } from '../../../../src/cli/check/check-command.ts'
import { checkRoles, streamsAs } from '../../../../src/cli/check/check-roles.ts'
import type { GatewayConfig } from '../../../../src/gateway/config/gateway-config.ts'
import { loadConfig } from '../../../../src/gateway/config/load-config.ts'
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

const configOf = (name: string): Promise<GatewayConfig> =>
  loadConfig(pair.at('gateway', `${name}.yaml`))

async function roles(name: string): Promise<string[]> {
  const findings = await checkRoles(await configOf(name))
  return findings.map(({ severity, message }) => `${severity}: ${message}`)
}

async function takeOver(origin: string, fence = false): Promise<void> {
  const reason = 'a drill'
  const record = { term: 2, origin, sinceMs: 1, by: origin, reason }
  await saveTerm(
    { dataDir, site: 'ec2', stream: { name: 'main', origin: 'ec2' } },
    { record, fence },
  )
}

test('says what this site is, by the configuration at first', async () => {
  expect(await roles('ec2')).toEqual([
    'ok: main: this site, ec2, is the origin (term 1, as configured)',
  ])
  expect(await roles('azure')).toEqual([
    'ok: main: this site, azure, is a copy of ec2 (term 1, as configured)',
    'warning: main: this site cannot take over: no database is named here',
  ])
})

test('says it by the newest term that is known; the databases are asked by that role', async () => {
  await takeOver('azure', true)
  expect(await roles('ec2')).toEqual([
    'ok: main: this site, ec2, is a copy of azure (term 2, by azure: a drill)',
    'warning: main: the database here is still to be fenced, since azure took over',
  ])
  expect(await roles('azure')).toEqual([
    'ok: main: this site, azure, is the origin (term 2, by azure: a drill)',
    'error: main: no database is named here, though this site is the origin',
  ])
  const ec2 = await configOf('ec2')
  expect([await streamsAs('origin', ec2), await streamsAs('copy', ec2)]).toMatchObject([
    [],
    [{ name: 'main' }],
  ])
})

test('an origin without a relay could not be a copy that feeds its database', async () => {
  await pair.edit('gateway/ec2.yaml', [
    / {4}relay:.*?relay\.password\n/s.exec(await pair.read('gateway/ec2.yaml'))?.[0] ?? '',
    '',
  ])
  const lacking = 'when another site takes over, the database here cannot be fed'
  expect((await roles('ec2'))[1]).toBe(`warning: main: there is no relay: ${lacking}`)
  await takeOver('azure')
  expect((await roles('ec2'))[1]).toBe(
    'warning: main: there is no relay: the database here cannot be fed',
  )
})

test('whose word does not count is told, which is a choice and no fault', async () => {
  await pair.edit('peers/ec2.yaml', ['mayTakeOver: true', 'mayTakeOver: false'])
  await pair.edit('peers/azure.yaml', ['mayTakeOver: true', ''])
  expect((await roles('ec2')).slice(1)).toEqual([
    'info: this gateway may not take over: what it says of the origin does not count',
    'info: azure may not take over: what it says of the origin does not count',
  ])
})

test('a term that cannot be read is one error, and no database is asked by a guess', async () => {
  await writeFile(join(dataDir, 'term-main.json'), '{}')
  const config = await configOf('ec2')
  const findings = await runChecks(config, { offline: true })
  expect(findings.filter(({ check }) => check === 'roles')).toMatchObject([
    {
      severity: 'error',
      message: expect.stringMatching(/^main: .*term-main\.json is damaged/),
      remedy: expect.stringContaining('a peer that may take over'),
    },
  ])
  expect(await streamsAs('origin', config)).toEqual([])
})
