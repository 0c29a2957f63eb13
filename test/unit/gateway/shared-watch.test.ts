import { expect, test } from 'vitest'
import { untilAborted } from '../../../src/base/until-aborted.ts'
import { SharedWatch } from '../../../src/gateway/shared-watch.ts'
import type { NewestSample } from '../../../src/source/source-question.ts'

const sample = (offset: number): NewestSample => {
  return { atMs: 1, file: 'b.1', offset, gtids: '', serverUuid: null, sourceClock: null }
}

/** A source that is watched: how often at once, and in all. */
class Watched {
  running = 0
  most = 0
  begun = 0
  say: (sample: NewestSample) => void = () => undefined
  readonly watch = new SharedWatch(async (onSample, signal) => {
    this.running += 1
    this.begun += 1
    this.most = Math.max(this.most, this.running)
    this.say = onSample
    await untilAborted(signal)
    // Its connection closes.
    await new Promise((resolve) => setTimeout(resolve, 10))
    this.running -= 1
  })
}

test('a source is watched once for all who listen, and no longer than somebody does', async () => {
  const watched = new Watched()
  const [a, b] = [new AbortController(), new AbortController()]
  const heard: string[] = []
  const first = watched.watch.join(({ offset }) => void heard.push(`a ${offset}`), a.signal)
  const second = watched.watch.join(({ offset }) => void heard.push(`b ${offset}`), b.signal)
  await new Promise((resolve) => setImmediate(resolve))
  watched.say(sample(1))
  a.abort()
  await first
  watched.say(sample(2))
  expect([heard, watched.running]).toEqual([['a 1', 'b 1', 'b 2'], 1])
  b.abort()
  await second
  expect([watched.running, watched.begun]).toEqual([0, 1])
})

test('one that ends is over before the next begins: the source gives few connections', async () => {
  const watched = new Watched()
  for (let round = 0; round < 3; round += 1) {
    const stop = new AbortController()
    const joined = watched.watch.join(() => undefined, stop.signal)
    await new Promise((resolve) => setTimeout(resolve, 15))
    stop.abort()
    const next = new AbortController()
    const again = watched.watch.join(() => undefined, next.signal)
    next.abort()
    await Promise.all([joined, again])
  }
  expect([watched.most, watched.running]).toEqual([1, 0])
})
