import { expect, test } from 'vitest'
import { Turns } from '../../../src/base/turns.ts'

const never = new AbortController().signal

test('turns are taken in the order of asking, one at a time', async () => {
  const turns = new Turns()
  const seen: number[] = []
  const first = await turns.take(never)
  const others = [2, 3].map(async (who) => {
    const release = await turns.take(never)
    seen.push(who)
    release()
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual([])
  first()
  first()
  await Promise.all(others)
  expect(seen).toEqual([2, 3])
})

test('whoever gives up waiting lets nobody in too early, nor keeps anybody out', async () => {
  const turns = new Turns()
  const first = await turns.take(never)
  const leaving = new AbortController()
  const second = turns.take(leaving.signal)
  let isIn = false
  const third = turns.take(never).then((release) => {
    isIn = true
    return release
  })
  leaving.abort()
  await expect(second).rejects.toMatchObject({ name: 'AbortError' })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isIn).toBe(false)
  first()
  await third
  expect(isIn).toBe(true)
})
