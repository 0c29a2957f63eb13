import { cp, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/gateway/config/load-config.ts'
import { SECTIONS, STREAM_SECTIONS } from '../../../src/gateway/config/sections.ts'
import { setUpSites } from '../../../src/provision/sites-setup.ts'
import { PairFolder, sitesPlan } from '../../helpers/pair/pair-folder.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

test('the examples in gateway/ are what init writes', async () => {
  await using pair = await PairFolder.create()
  for (const file of ['gateway/ec2.yaml', 'gateway/azure.yaml']) {
    expect(await readFile(`${ROOT}/${file}`, 'utf8')).toBe(await readFile(pair.at(file), 'utf8'))
  }
})

test('the examples show every section that a gateway file can have', async () => {
  const text = await readFile(`${ROOT}/gateway/ec2.yaml`, 'utf8')
  for (const name of Object.keys(SECTIONS)) expect(text).toMatch(new RegExp(`^(# )?${name}:`, 'm'))
  for (const name of Object.keys(STREAM_SECTIONS)) {
    expect(text).toMatch(new RegExp(`^ {4}(# )?${name}:`, 'm'))
  }
})

test('in a checkout, init puts real keys into the example peer files', async () => {
  await using pair = await PairFolder.create()
  await cp(`${ROOT}/peers`, pair.at('peers'), { recursive: true })
  const { files } = await setUpSites(sitesPlan(pair.path))
  const outcome = new Map(files.map((file) => [file.path, file.outcome]))
  expect(outcome.get('peers/ec2.yaml')).toBe('updated')
  expect(outcome.get('certs/ec2/wireguard.key')).toBe('kept')
  for (const name of ['ec2', 'azure']) {
    expect((await loadConfig(pair.at('gateway', `${name}.yaml`))).name).toBe(name)
  }
})
