import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../../src/gateway/config/load-config.ts'
import { loadPublicConfig, loadSocketPath } from '../../../../src/gateway/config/public-config.ts'
import { publicTunnelOf, tunnelOptionsOf } from '../../../../src/tunnel/tunnel-options.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'

test('is the part of the whole that needs no key, and needs none', async () => {
  await using pair = await PairFolder.create()
  const file = pair.at('gateway/azure.yaml')
  const whole = await loadConfig(file)
  await rm(pair.at('certs'), { recursive: true })
  await expect(loadConfig(file)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  const known = await loadPublicConfig(file)
  expect(whole).toMatchObject(known)
  expect(known).toMatchObject({
    name: 'azure',
    admin: { socketPath: '/run/landbridge/azure.sock' },
  })
  const { privateKey, ...rest } = tunnelOptionsOf(whole) ?? {}
  expect(String(privateKey)).toBe('[secret]')
  expect(publicTunnelOf(known)).toEqual(rest)
})

test('lists what is wrong with that part, and of the rest nothing', async () => {
  await using pair = await PairFolder.create()
  await pair.edit(
    'gateway/azure.yaml',
    ['mtu: 1340', 'mtu: 100'],
    ['wireguard.key', 'nowhere.key'],
    ['windowBytes: 16MiB', 'windowBytes: 1'],
  )
  await pair.edit('peers/ec2.yaml', ['10.77.0.1/24', '10.77.0.2/24'])
  await expect(loadPublicConfig(pair.at('gateway/azure.yaml'))).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    details: {
      problems: [
        { path: expect.stringMatching(/azure\.yaml tunnelAddress$|ec2\.yaml tunnelAddress$/) },
        { path: 'tunnel.mtu', value: 100 },
      ],
    },
  })
  const nowhere = loadPublicConfig(pair.at('gateway/none.yaml'))
  await expect(nowhere).rejects.toMatchObject({ code: 'ERR_CONFIG' })
})

test('a file that is missing is one problem, whatever is asked for', async () => {
  for (const load of [loadConfig, loadPublicConfig, loadSocketPath]) {
    await expect(load('/nowhere/gateway.yaml')).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      details: { problems: [{ message: expect.stringContaining('cannot be read (ENOENT)') }] },
    })
  }
})
