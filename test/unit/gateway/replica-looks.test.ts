import { expect, test } from 'vitest'
import { untilAborted } from '../../../src/base/until-aborted.ts'
import type { ReplicaCourse } from '../../../src/gateway/replica-course.ts'
import { ReplicaLooks } from '../../../src/gateway/replica-looks.ts'
import type { StatusAnswer } from '../../../src/gateway/replica-schemas.ts'
import type { Stream } from '../../../src/gateway/stream.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const ANSWER = { ok: true } as unknown as StatusAnswer

/** Looks that end when the test says so, at a stream whose role the test can end. */
class Fixture {
  readonly clock = new FakeClock()
  readonly courses: ReplicaCourse[] = []
  readonly ending = new AbortController()
  readonly steps: string[] = []
  readonly stream = {
    ...{ name: 'main', isChanging: false, half: {}, database: null },
    ending: this.ending.signal,
  }
  answered = Promise.withResolvers<StatusAnswer>()
  readonly looks = new ReplicaLooks(async (_stream, course) => {
    this.courses.push(course)
    const aborted = untilAborted(course.signal).then(() => course.signal.throwIfAborted())
    return (await Promise.race([this.answered.promise, aborted])) ?? ANSWER
  }, this.clock)

  ask(who = '', signal = new AbortController().signal): Promise<unknown> {
    const progress = (step: string) => void this.steps.push(`${who}: ${step}`)
    const asked = this.looks.join(this.stream as unknown as Stream, { signal, progress })
    return asked.catch((error: unknown) => error)
  }
}

test('all who ask meanwhile get the answer of one look, and hear its steps', async () => {
  const one = new Fixture()
  const asked = [one.ask('a'), one.ask('b'), one.ask('c')]
  one.courses[0]?.step('it goes on')
  expect(one.steps).toEqual(['a: it goes on', 'b: it goes on', 'c: it goes on'])
  one.answered.resolve(ANSWER)
  expect(await Promise.all(asked)).toEqual([ANSWER, ANSWER, ANSWER])
  expect(one.courses).toHaveLength(1)
  // Who asks later wants to know how it is then.
  await one.ask()
  expect(one.courses).toHaveLength(2)
  expect(one.clock.sleeping).toBe(0)
})

test('it goes on when all leave, and whoever comes then gets its answer', async () => {
  const one = new Fixture()
  const leaving = new AbortController()
  const left = one.ask('a', leaving.signal)
  leaving.abort()
  expect(await left).toMatchObject({ name: 'AbortError' })
  expect(one.courses[0]?.signal.aborted).toBe(false)
  one.courses[0]?.step('it goes on')
  expect(one.steps).toEqual([])
  const joined = one.ask('b')
  expect(one.steps).toEqual(['b: it goes on'])
  one.answered.resolve(ANSWER)
  expect(await joined).toEqual(ANSWER)
  expect(one.courses).toHaveLength(1)
})

test('it ends with the role of this site, with the gateway, and after 120 s', async () => {
  for (const [isChanging, code] of [
    [true, 'ERR_TERM_CHANGED'],
    [false, 'ERR_OPERATION_CANCELLED'],
  ] as const) {
    const one = new Fixture()
    const asked = one.ask()
    one.stream.isChanging = isChanging
    one.ending.abort()
    expect(await asked).toMatchObject({ code })
    expect(one.clock.sleeping).toBe(0)
  }
  const slow = new Fixture()
  const [asked, joined] = [slow.ask(), slow.ask()]
  await slow.clock.advance(119_000)
  expect(slow.courses[0]?.signal.aborted).toBe(false)
  await slow.clock.advance(2_000)
  const late = { code: 'ERR_REPLICA_QUERY', retryable: true }
  expect(await Promise.all([asked, joined])).toMatchObject([late, late])
})
