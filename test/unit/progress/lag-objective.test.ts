import { expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { LagObjective } from '../../../src/progress/lag-objective.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

function objectiveOf(maxMs: number | null) {
  const clock = new FakeClock()
  const told: string[] = []
  const log = {
    ...silentLog,
    error: () => void told.push('breached'),
    info: () => void told.push('met'),
  }
  const objective = new LagObjective({ stream: 'main', maxMs, clock, log })
  const hold = async (exposureMs: number | null, seconds: number, applyMs: number | null = 0) => {
    for (let second = 0; second < seconds; second += 1) {
      objective.note({ exposureMs, applyMs })
      await clock.advance(1_000)
    }
  }
  return { objective, told, hold }
}

test('a breach begins after two seconds above, and ends after five well below', async () => {
  const { objective, told, hold } = objectiveOf(5_000)
  await hold(800, 3)
  await hold(6_000, 2)
  expect(objective.problems()).toEqual([])
  await hold(7_000, 2)
  expect(objective.problems()).toMatchObject([
    { code: 'ERR_LAG_OBJECTIVE', severity: 'error', where: 'stream:main' },
  ])
  expect(objective.problems()[0]?.message).toBe('the exposure is 7.0 s, the objective is 5.0 s')
  // Below the objective, but not well below it.
  await hold(4_500, 20)
  expect(objective.status().exposure?.state).toBe('breached')
  await hold(3_000, 4)
  expect(objective.status().exposure?.state).toBe('breached')
  await hold(3_000, 3)
  expect(objective.status()).toMatchObject({ maxMs: 5_000, exposure: { state: 'met' } })
  expect(objective.problems()).toEqual([])
  expect(told).toEqual(['breached', 'met'])
})

test('a lag around the objective does not come and go', async () => {
  const { told, hold } = objectiveOf(5_000)
  for (let round = 0; round < 20; round += 1) {
    await hold(5_500, 3)
    await hold(4_800, 3)
  }
  expect(told).toEqual(['breached'])
})

test('what is not known changes nothing, and the apply lag has a judge of its own', async () => {
  const { objective, hold } = objectiveOf(5_000)
  await hold(null, 10, 60_000)
  expect(objective.status()).toMatchObject({ exposure: null, apply: { state: 'breached' } })
  expect(objective.problems()).toHaveLength(1)
  await hold(null, 10, null)
  expect(objective.status().apply?.state).toBe('breached')
})

test('an exposure that nobody knows for half a minute is a breach', async () => {
  const { objective, hold } = objectiveOf(5_000)
  await hold(null, 29, null)
  expect(objective.problems()).toEqual([])
  await hold(null, 5, null)
  expect(objective.problems()[0]?.message).toBe('the exposure is not known, the objective is 5.0 s')
  expect(objective.status().apply).toBeNull()
  await hold(800, 7, null)
  expect(objective.problems()).toEqual([])
})

test('without an objective nothing is judged', async () => {
  const { objective, hold } = objectiveOf(null)
  await hold(1e9, 10, 1e9)
  expect(objective.status()).toEqual({ maxMs: null, exposure: null, apply: null })
})
