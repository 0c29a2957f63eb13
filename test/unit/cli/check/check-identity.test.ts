import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { requireIdentity } from '../../../../src/cli/check/check-identity.ts'
import type { GatewayConfig } from '../../../../src/gateway/config/gateway-config.ts'
import { loadConfig } from '../../../../src/gateway/config/load-config.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'

const DAY_MS = 86_400_000

function thrownBy(run: () => void): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return null
}

test('lets a gateway start whose files belong together', async () => {
  await using folder = await PairFolder.create()
  const config = await loadConfig(folder.at('gateway/ec2.yaml'))
  expect(thrownBy(() => requireIdentity(config, Date.now()))).toBeNull()
})

test('lists at once everything of another identity, as ERR_CONFIG', async () => {
  await using folder = await PairFolder.create()
  const config = await loadConfig(folder.at('gateway/ec2.yaml'))
  const certificatePem = await readFile(folder.at('certs/azure/gateway.crt'), 'utf8')
  const mixed: GatewayConfig = { ...config, identity: { ...config.identity, certificatePem } }
  expect(thrownBy(() => requireIdentity(mixed, Date.now()))).toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(/ec2\.yaml has 3 problems:\n {2}identity: the certificate/),
    details: {
      problems: [
        { path: 'identity', message: expect.stringContaining('belong to the private key') },
        { path: 'identity', message: expect.stringContaining('the peer file another') },
        { path: 'identity', message: expect.stringContaining('not for the name ec2') },
      ],
    },
  })
})

test('lets a gateway start whose certificate has ended: its relay still serves', async () => {
  await using folder = await PairFolder.create()
  const config = await loadConfig(folder.at('gateway/ec2.yaml'))
  expect(thrownBy(() => requireIdentity(config, Date.now() + 900 * DAY_MS))).toBeNull()
})
