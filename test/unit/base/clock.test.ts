import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'

test('a sleep longer than a timer can hold is no short one', async () => {
  const stop = new AbortController()
  const warned = vi.fn()
  process.on('warning', warned)
  let isOver = false
  const sleeping = systemClock.sleep(2 ** 31 + 5, { signal: stop.signal }).then(
    () => {
      isOver = true
    },
    (error: unknown) => error,
  )
  // A timer that overflows is one of 1 ms: this one, set later, would be behind it.
  const later = new AbortController()
  setTimeout(() => later.abort(), 2)
  await once(later.signal, 'abort')
  await turn()
  expect(isOver).toBe(false)
  expect(warned).not.toHaveBeenCalled()
  stop.abort()
  expect(await sleeping).toMatchObject({ name: 'AbortError' })
  process.off('warning', warned)
})
