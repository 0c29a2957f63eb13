import { expect, test } from 'vitest'
import { describeError } from '../../../src/base/errors.ts'
import { createBackend } from '../../../src/tunnel/backend-choice.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { commandFailed, ScriptedRunner } from '../../helpers/tunnel/scripted-runner.ts'
import { tunnelSettings } from '../../helpers/tunnel/tunnel-fixture.ts'

test('a machine with neither back end is told why the kernel would not, too', async () => {
  const add = 'ip link add dev lb0 type wireguard'
  const runner = new ScriptedRunner({
    'ip -j -d link show': '[]',
    [add]: commandFailed('Error: Unknown device type.'),
  })
  const options = {
    backend: 'auto',
    settings: { ...tunnelSettings, interfaceName: 'lb0' },
    publicKey: 'OWN=',
    userspaceArgv: ['/nowhere/wireguard-go'],
    recordPath: '/nowhere/tunnel-lb0.json',
    runner: {
      run: runner.run.bind(runner),
      find: async (name: string) => (name === 'wg' ? name : null),
    },
    clock: new FakeClock(),
  } as const
  const error = await createBackend(options, new AbortController().signal).catch((one) => one)
  expect(error).toMatchObject({ code: 'ERR_TUNNEL_TOOL' })
  expect(error.remedy).toContain('modprobe wireguard')
  expect(describeError(error)).toMatch(/Unknown device type.*wireguard-go is not on this machine/)
})
