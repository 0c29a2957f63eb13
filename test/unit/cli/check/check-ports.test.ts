import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { checkPorts } from '../../../../src/cli/check/check-machine.ts'
import { loadConfig } from '../../../../src/gateway/config/load-config.ts'
import { PairFolder } from '../../../helpers/pair/pair-folder.ts'

test('with an external tunnel every gateway needs its link port, whatever its role', async () => {
  await using pair = await PairFolder.create()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    for (const name of ['ec2', 'azure']) {
      const file = `gateway/${name}.yaml`
      await pair.edit(file, [/tunnel: .*?\n\n/s.exec(await pair.read(file))?.[0] ?? '?', ''])
      await pair.edit(file, ['streams:', 'tunnel: external\nstreams:'])
      await pair.edit(`peers/${name}.yaml`, ['linkPort: 7400', `linkPort: ${port}`])
    }
    await pair.edit('peers/ec2.yaml', ['10.77.0.1/24', '127.0.0.1/8'])
    await pair.edit('peers/azure.yaml', ['10.77.0.2/24', '127.0.0.2/8'])
    const linkOf = async (name: string) => {
      const findings = await checkPorts(await loadConfig(pair.at('gateway', `${name}.yaml`)))
      return findings.filter(({ message }) => message.startsWith('link: '))
    }
    expect(await linkOf('ec2')).toMatchObject([
      { severity: 'error', message: `link: 127.0.0.1:${port} cannot be had (EADDRINUSE)` },
    ])
    expect(await linkOf('azure')).toMatchObject([
      { severity: 'ok', message: `link: 127.0.0.2:${port} is free` },
    ])
  } finally {
    server.close()
  }
})
