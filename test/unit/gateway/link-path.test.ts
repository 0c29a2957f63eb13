import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LinkPath } from '../../../src/gateway/link-path.ts'
import type { TunnelStatus } from '../../../src/progress/status.ts'
import type { TunnelPath } from '../../../src/tunnel/tunnel-path.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { drStatus } from '../../helpers/status-fixture.ts'

class MakingTunnel implements TunnelPath {
  state: TunnelStatus['state'] = 'down'
  readonly made = Promise.withResolvers<void>()

  async run(): Promise<void> {}

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, reject } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => reject(signal.reason))
    await Promise.race([this.made.promise, promise])
  }

  status(): TunnelStatus {
    return { ...drStatus.tunnel, state: this.state }
  }

  problems(): [] {
    return []
  }
}

async function waiting(signal = new AbortController().signal) {
  const [tunnel, clock] = [new MakingTunnel(), new FakeClock()]
  const path = new LinkPath(tunnel, clock)
  let isOver = false
  const waited = path.wait(signal).then(() => {
    isOver = true
  })
  await turn()
  return { tunnel, clock, path, waited, isOver: () => isOver }
}

test('the link begins when the address of the tunnel is there', async () => {
  const { tunnel, clock, path, waited, isOver } = await waiting()
  await clock.advance(9_000)
  expect(isOver()).toBe(false)
  tunnel.made.resolve()
  await waited
  expect(clock.sleeping).toBe(0)
  expect(path.isNew).toBe(true)
})

test('a tunnel that does not come is waited for so long and no longer', async () => {
  const { clock, path, waited } = await waiting()
  await clock.advance(10_000)
  await waited
  expect(path.isNew).toBe(false)
})

test('a way is new until its first handshake', async () => {
  const { tunnel, path } = await waiting()
  tunnel.state = 'never'
  expect(path.isNew).toBe(true)
  for (const state of ['up', 'stale', 'external'] as const) {
    tunnel.state = state
    expect(path.isNew).toBe(false)
  }
})

test('a stop ends the waiting', async () => {
  const { waited, clock } = await waiting(AbortSignal.abort())
  await waited
  expect(clock.sleeping).toBe(0)
})
