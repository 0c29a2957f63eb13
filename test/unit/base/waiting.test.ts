import { describe, expect, test } from 'vitest'
import { Backoff } from '../../../src/base/backoff.ts'
import { Condition } from '../../../src/base/condition.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

describe('a condition', () => {
  test('wakes everybody who waits, once', async () => {
    const condition = new Condition()
    const { signal } = new AbortController()
    let woken = 0
    const count = () => {
      woken += 1
    }
    const waiting = [condition.wait({ signal }).then(count), condition.wait({ signal }).then(count)]
    condition.notifyAll()
    await Promise.all(waiting)
    condition.notifyAll()
    expect(woken).toBe(2)
  })

  test('loses no wake-up between looking and waiting', async () => {
    const condition = new Condition()
    const { signal } = new AbortController()
    let turns = 0
    const consumer = (async () => {
      for (let seen = 0; seen < 1000; ) {
        while (turns === seen) await condition.wait({ signal })
        seen = turns
      }
    })()
    for (; turns < 1000; ) {
      turns += 1
      condition.notifyAll()
      if (turns % 7 === 0) await Promise.resolve()
    }
    await consumer
  })

  test('lets a waiter who wakes wait again without being woken by the same call', async () => {
    const condition = new Condition()
    const stop = new AbortController()
    let turns = 0
    const waiter = (async () => {
      for (;;) {
        await condition.wait({ signal: stop.signal })
        turns += 1
      }
    })().catch(() => undefined)
    condition.notifyAll()
    await new Promise((resolve) => setImmediate(resolve))
    expect(turns).toBe(1)
    stop.abort()
    await waiter
  })

  test('stops waiting with the reason of the signal, also of one that is aborted', async () => {
    const condition = new Condition()
    const stop = new AbortController()
    const waiting = condition.wait({ signal: stop.signal })
    stop.abort(new Error('over'))
    await expect(waiting).rejects.toThrow('over')
    await expect(condition.wait({ signal: stop.signal })).rejects.toThrow('over')
  })

  test('leaves no listener on a signal that lives long', async () => {
    const condition = new Condition()
    const stop = new AbortController()
    let listeners = 0
    const signal = new Proxy(stop.signal, {
      get(target, name) {
        if (name === 'addEventListener') listeners += 1
        if (name === 'removeEventListener') listeners -= 1
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    for (let n = 0; n < 50; n += 1) {
      const waiting = condition.wait({ signal })
      condition.notifyAll()
      await waiting
    }
    expect(listeners).toBe(0)
  })
})

describe('a backoff', () => {
  test('doubles up to its cap, and begins again after success', () => {
    const backoff = new Backoff({
      clock: new FakeClock(),
      firstMs: 100,
      capMs: 1_000,
      random: () => 1,
    })
    const waits = () => [1, 2, 3, 4, 5, 6].map(() => backoff.nextMs())
    expect(waits()).toEqual([100, 200, 400, 800, 1_000, 1_000])
    expect(backoff.attempts).toBe(6)
    backoff.reset()
    expect(waits()[0]).toBe(100)
  })

  test('shortens each wait by up to a half, at random', () => {
    const wait = (random: number) =>
      new Backoff({ clock: new FakeClock(), firstMs: 100, random: () => random }).nextMs()
    expect([wait(0), wait(0.5), wait(1)]).toEqual([50, 75, 100])
  })

  test('stays at its cap however often it is asked', () => {
    const backoff = new Backoff({ clock: new FakeClock(), random: () => 1 })
    for (let n = 0; n < 5_000; n += 1) backoff.nextMs()
    expect(backoff.nextMs()).toBe(5_000)
  })

  test('waits by its clock, and no longer than it is wanted', async () => {
    const clock = new FakeClock()
    const backoff = new Backoff({ clock, firstMs: 100, random: () => 1 })
    const stop = new AbortController()
    let done = false
    const waiting = backoff.wait({ signal: stop.signal }).then(() => {
      done = true
    })
    await clock.advance(99)
    expect(done).toBe(false)
    await clock.advance(1)
    await waiting
    const aborted = backoff.wait({ signal: stop.signal })
    stop.abort()
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
  })
})
