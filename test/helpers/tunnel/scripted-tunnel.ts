import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import type { ProcessRunner } from '../../../src/tunnel/process-runner.ts'
import { Tunnel, type TunnelOptions } from '../../../src/tunnel/tunnel.ts'
import type { FakeClock } from '../fake-clock.ts'
import { tunnelSettings } from './tunnel-fixture.ts'

type Given = Partial<TunnelOptions> & Pick<TunnelOptions, 'dataDir'>

/** A tunnel of the kernel's back end, over programs that are only played. */
export function scriptedTunnel(runner: ProcessRunner, clock: FakeClock, given: Given): Tunnel {
  return new Tunnel({
    settings: tunnelSettings,
    privateKey: new Secret('PRIVATE='),
    publicKey: 'OWN=',
    firewall: { accept: [{ protocol: 'tcp', port: 7400 }], forward: false },
    backend: 'kernel',
    userspaceArgv: ['wireguard-go'],
    log: silentLog,
    clock,
    runner,
    lookup: async () => ['198.51.100.2', '198.51.100.3'],
    ...given,
  })
}

/** Fake time passes only while something waits for it: real files take as long as they take. */
export async function until(clock: FakeClock, holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 5000 && !holds(); turns += 1) {
    if (clock.sleeping > 0) await clock.advance(200)
    else await sleep(1)
  }
  expect(holds()).toBe(true)
}
