import { expect, test } from 'vitest'
import type { Channel } from '../../../src/link/channel.ts'
import { FrameType } from '../../../src/link/frame.ts'
import type { Sample } from '../../../src/link/messages.ts'
import { StreamReceiver } from '../../../src/link/stream-receiver.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

test('of several gateways at the origin only the one that sends is believed', async () => {
  const heard: string[] = []
  const spool = {
    rewind: async () => null,
    beginEpoch: async () => undefined,
    renewSource: async () => undefined,
    beginFile: () => undefined,
    append: () => undefined,
  }
  const receiver = new StreamReceiver({
    ...{ name: 'main', term: 1, windowBytes: 1024, spool, clock: new FakeClock() },
    onSample: (sample: Sample) => heard.push(`${receiver.status().peer} ${sample.atMs}`),
    onOpen: () => undefined,
  })
  const channel = { sendJson: () => undefined, fail: () => undefined } as unknown as Channel
  const begin = (peer: string) => {
    const stop = new AbortController()
    const session = receiver.session(channel, 1, peer)
    const running = session.run(stop.signal)
    const sample = (atMs: number): void => {
      const body = { atMs, file: 'binlog.000001', offset: 4, gtids: '' }
      session.onFrame({ type: FrameType.Sample, stream: 1, body })
    }
    const end = async (): Promise<void> => {
      stop.abort()
      await running.catch(() => undefined)
    }
    return { sample, end }
  }
  const first = begin('first')
  await new Promise(setImmediate)
  const second = begin('second')
  await new Promise(setImmediate)
  first.sample(1)
  second.sample(30_000)
  expect(heard).toEqual(['first 1'])
  await first.end()
  await new Promise(setImmediate)
  second.sample(31_000)
  expect(heard).toEqual(['first 1', 'second 31000'])
  await second.end()
})
