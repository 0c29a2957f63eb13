import { expect, test } from 'vitest'
import { DatabaseAttempts } from '../../../src/database/database-attempts.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const never = new AbortController().signal
const DENIED = Object.assign(new Error('denied'), { errno: 1045 })

/** When the next attempt comes after one that was denied, in milliseconds. */
async function nextAfterDenied(first: string, then: string): Promise<number> {
  const clock = new FakeClock()
  const attempts = new DatabaseAttempts(clock)
  const at = (place: string) => {
    const [host = '', port] = place.split(' ')
    return attempts.at({ host, port: Number(port) })
  }
  const deny = async () => {
    throw DENIED
  }
  await at(first)
    .run(deny, never)
    .catch(() => undefined)
  const startMs = clock.monotonicMs()
  const tried = at(then).run(async () => clock.monotonicMs() - startMs, never)
  await clock.advance(10_000)
  return await tried
}

test('streams whose databases are on one server share its attempts alone', async () => {
  expect(await nextAfterDenied('db 3306', 'db 3306')).toBe(1_000)
  expect(await nextAfterDenied('db 3306', 'db 3307')).toBe(0)
  expect(await nextAfterDenied('db 3306', 'other 3306')).toBe(0)
})
