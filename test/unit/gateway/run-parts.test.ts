import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Task } from '../../../src/base/tasks.ts'
import { untilAborted } from '../../../src/base/until-aborted.ts'
import { runParts } from '../../../src/gateway/run-parts.ts'

/** Ends some turns after it was stopped, and writes down when it began and ended. */
function task(name: string, seen: string[]): Task {
  return {
    async run(signal) {
      seen.push(`${name} begins`)
      await untilAborted(signal)
      await turn()
      seen.push(`${name} ended`)
    },
  }
}

test('what flows ends before the ground it flows over', async () => {
  const seen: string[] = []
  const parts = [
    { ground: [task('tunnel', seen)] },
    { flow: [task('link', seen)] },
    { flow: [task('main', seen), task('back', seen)] },
    {},
  ]
  const stopping = new AbortController()
  const running = runParts(parts, stopping.signal)
  await turn()
  expect(seen).toHaveLength(4)
  stopping.abort()
  await running
  expect(seen.slice(4).sort()).toEqual(['back ended', 'link ended', 'main ended', 'tunnel ended'])
  expect(seen.at(-1)).toBe('tunnel ended')
})

test('one that fails stops all the others, and its failure is thrown', async () => {
  const seen: string[] = []
  const failing = { run: () => Promise.reject(new TypeError('a fault of the program')) }
  const parts = [
    { ground: [task('tunnel', seen)] },
    { flow: [failing, task('main', seen), task('link', seen)] },
  ]
  await expect(runParts(parts, new AbortController().signal)).rejects.toThrow('a fault of the')
  expect(seen.slice(-1)).toEqual(['tunnel ended'])
  expect(seen).toHaveLength(6)
})
