import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LinkPath } from '../../../src/gateway/link-path.ts'
import type { TunnelStatus } from '../../../src/status/status.ts'
import type { TunnelPath } from '../../../src/tunnel/tunnel-path.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { drStatus, secondTunnelPeer, tunnelPeer } from '../../helpers/status/status-fixture.ts'

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
    const peers = [{ ...tunnelPeer, state: this.state }, secondTunnelPeer]
    return { ...drStatus.tunnel, state: this.state, peers }
  }

  problems(): [] {
    return []
  }
}

const unreached = new Error('a dial that takes too long')
const refused = new Error('a dial', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) })

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
  expect(path.excuses('ec2', unreached)).toBe(true)
})

test('a tunnel that does not come is waited for so long and no longer', async () => {
  const { clock, path, waited } = await waiting()
  await clock.advance(10_000)
  await waited
  expect(path.excuses('ec2', unreached)).toBe(false)
})

test('a dial may fail before the first handshake, or while nobody listens yet', async () => {
  const { tunnel, clock, path } = await waiting()
  const excused = (state: TunnelStatus['state'], error: Error) => {
    tunnel.state = state
    return path.excuses('ec2', error)
  }
  for (const state of ['down', 'never'] as const) expect(excused(state, unreached)).toBe(true)
  for (const state of ['up', 'stale'] as const) {
    expect(excused(state, unreached)).toBe(false)
    expect(excused(state, refused)).toBe(true)
  }
  expect(excused('external', refused)).toBe(false)
  tunnel.state = 'never'
  // That another peer has not come yet is no excuse for this one.
  expect(path.excuses('gcp', unreached)).toBe(false)
  expect(path.excuses('gcp', refused)).toBe(true)
  await clock.advance(10_000)
  expect(excused('up', refused)).toBe(false)
})

test('a stop ends the waiting', async () => {
  const { waited, clock } = await waiting(AbortSignal.abort())
  await waited
  expect(clock.sleeping).toBe(0)
})
