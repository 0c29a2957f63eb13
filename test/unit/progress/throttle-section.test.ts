import { describe, expect, test } from 'vitest'
import { Problems } from '../../../src/config/problem.ts'
import type { StreamContext } from '../../../src/config/section.ts'
import { NO_THROTTLE, throttleSection } from '../../../src/progress/throttle-section.ts'

function load(raw: unknown): { readonly value: unknown; readonly problems: readonly string[] } {
  const problems = new Problems()
  const value = throttleSection.load(raw, { problems, where: 'throttle' } as StreamContext)
  return { value, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) }
}

describe('the throttle of a stream in the configuration', () => {
  test('may be missing, or have all of it', () => {
    expect(load(undefined).value).toBe(NO_THROTTLE)
    expect(load({}).value).toEqual(NO_THROTTLE)
    const window = { cron: '0 8 * * MON-FRI', timeZone: 'Europe/Berlin', for: '10h' }
    const raw = {
      bytesPerSecond: '50MB',
      schedule: [{ ...window, bytesPerSecond: 0 }],
      yield: {},
      brake: { query: 'SELECT 0' },
    }
    expect(load(raw)).toEqual({
      problems: [],
      value: {
        bytesPerSecond: 50_000_000,
        schedule: [
          {
            ...{ cron: '0 8 * * MON-FRI', timeZone: 'Europe/Berlin' },
            ...{ forMs: 36_000_000, bytesPerSecond: 0 },
          },
        ],
        yield: { targetMs: 20, leastBytesPerSecond: 100_000 },
        brake: {
          ask: { query: 'SELECT 0' },
          ...{ everyMs: 1_000, timeoutMs: 2_000, silentMs: 300_000 },
        },
      },
    })
    const url = load({ brake: { url: 'http://127.0.0.1/x', silentFor: '0s' } }).value
    expect(url).toMatchObject({ brake: { ask: { url: 'http://127.0.0.1/x' }, silentMs: 0 } })
  })

  test.each([
    [{ bytesPerSecond: 100 }, 'throttle.bytesPerSecond: 100 must be at least 1KiB'],
    [{ rate: 1 }, 'throttle.rate: is not a known key; remove it or correct its spelling'],
    [{ yield: { queueDelay: '0s' } }, '"0s" must be a duration from 1ms to 10s'],
    [{ brake: {} }, 'must have a `url` or a `query`, and not both'],
    [{ brake: { url: 'http://a/', query: 'SELECT 1' } }, 'must have a `url` or a `query`'],
    [{ brake: { url: 'http://u:p@a/' } }, 'without a user and a password'],
    [{ brake: { url: 'file:///etc/passwd' } }, 'must be http://HOST/PATH'],
    [{ brake: { query: 'SELECT 1', every: '1ms' } }, 'must be a duration from 200ms to 1m'],
  ])('refuses %j', (raw, message) => {
    const { value, problems } = load(raw)
    expect(value).toBeUndefined()
    expect(problems.join('\n')).toContain(message)
  })

  test.each([
    [{ cron: 'every day' }, 'cron'],
    [{ cron: '* * * * * *' }, 'cron'],
    [{ cron: '0 0 30 2 *' }, 'is never due'],
    [{ timeZone: 'Mars/Olympus' }, 'must be a time zone such as Europe/Berlin'],
    [{ for: '8d' }, 'must be a duration from 1m to 7d'],
    [{ bytesPerSecond: 1 }, 'must be at least 1KiB, or 0 to pause'],
  ])('refuses a window with %j', (change, message) => {
    const window = { cron: '0 8 * * *', for: '1h', bytesPerSecond: 0, ...change }
    const { problems } = load({ schedule: [window] })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain('throttle.schedule[0]')
    expect(problems[0]).toContain(message)
  })
})
