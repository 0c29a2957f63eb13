import { expect, test } from 'vitest'
import { runTogether, type Task } from '../../../src/base/tasks.ts'
import { untilAborted } from '../../../src/base/until-aborted.ts'

class Lasting implements Task {
  isOver = false

  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal)
    await new Promise((resolve) => setTimeout(resolve, 20))
    this.isOver = true
  }
}

test('tasks that run together end by abort, and all are waited for', async () => {
  const tasks = [new Lasting(), null, new Lasting()] as const
  const stop = new AbortController()
  const running = runTogether(tasks, stop.signal)
  stop.abort()
  await running
  expect(tasks.map((task) => task?.isOver)).toEqual([true, undefined, true])
})

test('one that fails stops the others, and its error is thrown once they are over', async () => {
  const other = new Lasting()
  const failing: Task = {
    run: async () => {
      throw new Error('one failed')
    },
  }
  await expect(runTogether([other, failing], new AbortController().signal)).rejects.toThrow(
    'one failed',
  )
  expect(other.isOver).toBe(true)
})
