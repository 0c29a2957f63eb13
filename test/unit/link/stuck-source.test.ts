import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { silentLog } from '../../../src/base/log.ts'
import type { Channel } from '../../../src/link/channel.ts'
import { FrameType } from '../../../src/link/frame.ts'
import type { Resume, State } from '../../../src/link/messages.ts'
import type { SourcePort } from '../../../src/link/source-port.ts'
import { StreamSender } from '../../../src/link/stream-sender.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { noThrottle } from '../../helpers/link/no-throttle.ts'

const source = {
  flavor: 'mysql',
  serverVersion: '9.7.4',
  serverId: 1,
  serverUuid: '3e11fa47-71ca-11e1-9e33-c80aa9429562',
  gtidDomainId: null,
} as const
const held: Resume['held'] = {
  ...{ epoch: 1, source, file: 'binlog.000001', offset: 4_000, complete: false, gtids: '' },
  ...{ firstTimestamp: 1, lastTimestamp: 2 },
}

class Fixture {
  readonly clock = new FakeClock()
  readonly port: SourcePort = {
    host: 'source:3306',
    open: async () => ({
      source,
      newEpoch: null,
      run: async (target) => {
        target.accepted()
        throw new LandbridgeError('ERR_SOURCE_DUMP', 'too large', { remedy: 'Reseed.' })
      },
    }),
    watch: async () => undefined,
  }
  readonly sender = new StreamSender({
    ...{ name: 'main', source: this.port, clock: this.clock, log: silentLog },
    ...{ throttle: noThrottle, compression: 'none', windowBytes: 2 ** 20 },
  })

  /** What a session that resumes at `place` reports first and at last, until it is blocked. */
  async session(place: Resume['held']): Promise<State[]> {
    const states: State[] = []
    const sendJson = (type: number, _stream: number, body: State): void => {
      if (type === FrameType.State) states.push(body)
    }
    const channel = { sendJson, clockOffset: { idleRoundTripMs: 0 } } as unknown as Channel
    const session = this.sender.session(channel, 0)
    const ending = new AbortController()
    const running = session.run(ending.signal).catch(() => undefined)
    session.onFrame({
      type: FrameType.Resume,
      stream: 0,
      body: { stream: 'main', term: 1, held: place, windowBytes: 2 ** 20 },
    })
    await expect.poll(() => states.at(-1)?.state).toBe('blocked')
    await expect.poll(() => this.clock.sleeping).toBeGreaterThan(0)
    ending.abort()
    await running
    return states
  }
}

test('a source that refuses at one place does so in the next session too', async () => {
  const fixture = new Fixture()
  const [first] = (await fixture.session(held)).slice(-1)
  await fixture.clock.advance(60_000)
  const states = await fixture.session(held)
  expect(states[0]).toMatchObject({ state: 'blocked', problem: first?.problem })
  expect(states.at(-1)?.problem?.sinceMs).toBe(first?.problem?.sinceMs)
})

test('a spool that is begun anew does not inherit the trouble of the one before', async () => {
  const fixture = new Fixture()
  const [first] = (await fixture.session(held)).slice(-1)
  await fixture.clock.advance(60_000)
  const states = await fixture.session(null)
  expect(states[0]).toMatchObject({ state: 'connecting', problem: null })
  expect(states.at(-1)?.problem?.sinceMs).toBe((first?.problem?.sinceMs ?? 0) + 60_000)
})
